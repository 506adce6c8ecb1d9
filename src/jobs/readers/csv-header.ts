import { maxProblems, type Problem, ServiceError } from '../../errors.js';
import { isRequired } from '../../models/manifest/feature-value.js';
import type { Feature } from '../../models/manifest/manifest.js';
import { describeValue, pointerToken } from '../../text/describe-value.js';
import { createSearchBudget, didYouMean, maxSuggested, nearestNames } from '../../text/did-you-mean.js';
import { type CellKind, splitRecord } from './csv-cells.js';

/** A column of a CSV, in the order of its header. */
export interface CsvColumn {
  readonly name: string;
  readonly kind: CellKind;
}

/** What the rows of a CSV must fit. */
export interface CsvModel {
  readonly name: string;
  readonly features: readonly Feature[];
  /** Other columns are read as texts. Without it, one refuses the header. */
  readonly takesOthers: boolean;
}

const kinds = { number: 'number', integer: 'number', boolean: 'boolean', string: 'text' } as const;

/** The columns that a header names. Throws `invalid_input` with every problem of the header. */
export function readHeader(record: string, model: CsvModel): readonly CsvColumn[] {
  const cells = splitRecord(record);
  if (typeof cells === 'string') throw refuseCsv(`The header cannot be read: ${cells}.`);
  const features = new Map(model.features.map((feature) => [feature.name, feature]));
  const names = cells.map(({ text }) => text);
  const other = findSeparator(names, features);
  if (other !== undefined) {
    throw refuseCsv(`The fields of the header are separated by ${other}: separate fields with commas.`);
  }
  const problems = findProblems(names, features, model);
  if (problems.length > 0) {
    const listed = problems.length > maxProblems ? `; the first ${maxProblems} are listed` : '';
    throw new ServiceError('invalid_input', {
      detail: `The header has ${problems.length} problem${problems.length === 1 ? '' : 's'}${listed}.`,
      problems: problems.slice(0, maxProblems),
    });
  }
  return names.map((name) => ({ name, kind: kinds[features.get(name)?.type ?? 'string'] }));
}

export function refuseCsv(detail: string): ServiceError {
  return new ServiceError('invalid_input', { detail });
}

function findSeparator(names: readonly string[], features: ReadonlyMap<string, Feature>): string | undefined {
  const [only = ''] = names;
  if (names.length > 1 || features.has(only)) return undefined;
  if (only.includes(';')) return 'semicolons';
  return only.includes('\t') ? 'tabs' : undefined;
}

function findProblems(
  names: readonly string[],
  features: ReadonlyMap<string, Feature>,
  model: CsvModel,
): readonly Problem[] {
  const problems: Problem[] = [];
  const add = (name: string, message: string) =>
    problems.push({ pointer: `/${pointerToken(name)}`, message });
  const seen = new Set<string>();
  const known = [...features.keys()];
  const budget = createSearchBudget();
  for (const [k, name] of names.entries()) {
    if (seen.has(name)) add(name, `is the name of two columns: ${names.indexOf(name) + 1} and ${k + 1}`);
    seen.add(name);
    if (features.has(name) || model.takesOthers) continue;
    const hasHint = name !== '' && problems.length < maxSuggested;
    const nearest = hasHint ? nearestNames(name, known, 3, undefined, budget) : [];
    const what = name === '' ? `is the empty name of column ${k + 1}: it` : 'is a column that';
    add(name, `${what} is not a feature of ${model.name}${didYouMean(nearest)}`);
  }
  for (const feature of features.values()) {
    if (seen.has(feature.name) || !isRequired(feature)) continue;
    add(feature.name, `is required, and the header has no column ${describeValue(feature.name)}`);
  }
  return problems;
}
