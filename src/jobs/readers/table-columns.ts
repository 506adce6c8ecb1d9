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

/** Throws `invalid_input` with every problem of the names of a table's columns. `what` is the noun for them. */
export function checkColumns(names: readonly string[], model: TableModel, what: string): void {
  const problems = findProblems(names, model, what);
  if (problems.length === 0) return;
  const listed = problems.length > maxProblems ? `; the first ${maxProblems} are listed` : '';
  throw new ServiceError('invalid_input', {
    detail: `The ${what} has ${problems.length} problem${problems.length === 1 ? '' : 's'}${listed}.`,
    problems: problems.slice(0, maxProblems),
  });
}

function findProblems(names: readonly string[], model: TableModel, what: string): readonly Problem[] {
  const problems: Problem[] = [];
  const add = (name: string, message: string) =>
    problems.push({ pointer: `/${pointerToken(name)}`, message });
  const seen = new Set<string>();
  const known = model.features.map(({ name }) => name);
  const features = new Set(known);
  const budget = createSearchBudget();
  for (const [k, name] of names.entries()) {
    if (seen.has(name)) add(name, `is the name of two columns: ${names.indexOf(name) + 1} and ${k + 1}`);
    seen.add(name);
    if (features.has(name) || model.takesOthers) continue;
    const hasHint = name !== '' && problems.length < maxSuggested;
    const nearest = hasHint ? nearestNames(name, known, 3, undefined, budget) : [];
    const subject = name === '' ? `is the empty name of column ${k + 1}: it` : 'is a column that';
    add(name, `${subject} is not a feature of ${model.name}${didYouMean(nearest)}`);
  }
  for (const feature of model.features) {
    if (seen.has(feature.name) || !isRequired(feature)) continue;
    add(feature.name, `is required, and the ${what} has no column ${describeValue(feature.name)}`);
  }
  return problems;
}
