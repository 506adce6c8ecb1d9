import { maxProblems, type Problem, ServiceError } from '../../errors.js';
import { isRequired } from '../../models/manifest/feature-value.js';
import type { Feature } from '../../models/manifest/manifest.js';
import { describeValue, pointerToken } from '../../text/describe-value.js';
import { createSearchBudget, didYouMean, maxSuggested, nearestNames } from '../../text/did-you-mean.js';

/** What the columns of a table must fit. */
export interface TableModel {
  readonly name: string;
  readonly features: readonly Feature[];
  /** Whether the table may have columns that are no features. */
  readonly takesOthers: boolean;
}

/** Columns of a table that are no features, and are still worth a problem each. */
const maxOthers = 500;

/** The columns that are checked one by one; a table with more is refused as a whole. */
export function maxColumnsOf({ features, takesOthers }: TableModel): number {
  return takesOthers ? Number.POSITIVE_INFINITY : features.length + maxOthers;
}

/**
 * Throws `invalid_input` with every problem of the names of a table's columns, or with one if there are far too many
 * columns. `what` is the noun for them.
 */
export function checkColumns(names: readonly string[], model: TableModel, what: string): void {
  const maxColumns = maxColumnsOf(model);
  const { count, problems } =
    names.length > maxColumns
      ? { count: 1, problems: [describeWide(maxColumns, model)] }
      : findProblems(names, model, what);
  if (count === 0) return;
  const listed = count > maxProblems ? `; the first ${maxProblems} are listed` : '';
  throw new ServiceError('invalid_input', {
    detail: `The ${what} has ${count} problem${count === 1 ? '' : 's'}${listed}.`,
    problems,
  });
}

function describeWide(maxColumns: number, { name, features }: TableModel): Problem {
  const takes = features.length === 1 ? 'one feature' : `${features.length} features`;
  const message = `must have at most ${maxColumns} columns, since ${name} has ${takes}: the last column at least is not a feature of ${name}`;
  return { pointer: '', message };
}

interface Problems {
  readonly count: number;
  /** The first ones: a client may send a table with any number of them. */
  readonly problems: readonly Problem[];
}

function findProblems(names: readonly string[], model: TableModel, what: string): Problems {
  const problems: Problem[] = [];
  let count = 0;
  const add = (name: string, toMessage: () => string) => {
    count += 1;
    if (problems.length < maxProblems)
      problems.push({ pointer: `/${pointerToken(name)}`, message: toMessage() });
  };
  /** Where each name is first. */
  const seen = new Map<string, number>();
  const known = model.features.map(({ name }) => name);
  const features = new Set(known);
  const budget = createSearchBudget();
  for (const [k, name] of names.entries()) {
    const first = seen.get(name);
    if (first === undefined) seen.set(name, k);
    else add(name, () => `is the name of two columns: ${first + 1} and ${k + 1}`);
    if (features.has(name) || model.takesOthers) continue;
    add(name, () => {
      const hasHint = name !== '' && problems.length < maxSuggested;
      const nearest = hasHint ? nearestNames(name, known, 3, undefined, budget) : [];
      const subject = name === '' ? `is the empty name of column ${k + 1}: it` : 'is a column that';
      return `${subject} is not a feature of ${model.name}${didYouMean(nearest)}`;
    });
  }
  for (const feature of model.features) {
    if (seen.has(feature.name) || !isRequired(feature)) continue;
    add(feature.name, () => `is required, and the ${what} has no column ${describeValue(feature.name)}`);
  }
  return { count, problems };
}
