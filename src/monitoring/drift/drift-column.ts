import {
  hasNumbers,
  isNumeric,
  type Reference,
  type ReferenceColumn,
} from '../../models/examples/reference.js';
import type { Feature, Manifest } from '../../models/manifest/manifest.js';

export type Place = 'features' | 'outputs';

/** A column that is compared with the reference: a feature, or an output of the model. */
export interface DriftColumn {
  readonly place: Place;
  readonly name: string;
  readonly type: Feature['type'];
  readonly isNumeric: boolean;
  readonly reference: ReferenceColumn;
  /** The values of the reference, ascending; empty for categories. */
  readonly sample: Float64Array;
  /** The categories of the reference, the most frequent first; empty for numbers. */
  readonly categories: readonly string[];
  /** The code of each category: its place in `categories`. Any other value has the code after the last one. */
  readonly codes: ReadonlyMap<string, number>;
  /** What a feature that is left out stands for. */
  readonly absent: unknown;
}

/** More columns would take too much memory: the first ones are watched. */
export const maxColumns = 256;

/** The columns that the reference of a version describes, features first. */
export function listColumns(
  { features = [], task }: Manifest,
  reference: Reference,
): { readonly columns: readonly DriftColumn[]; readonly leftOut: number } {
  const all: DriftColumn[] = [];
  for (const feature of features) {
    const column = Object.hasOwn(reference.features, feature.name)
      ? reference.features[feature.name]
      : undefined;
    if (column === undefined || isNumeric(feature) !== hasNumbers(column)) continue;
    all.push(createColumn('features', feature.name, feature.type, column, feature.default));
  }
  for (const [name, column] of Object.entries(reference.output ?? {})) {
    const type = hasNumbers(column) ? 'number' : 'string';
    // A classification answers with one class, and the probability of this class.
    const isKnown =
      task === 'classification' ? name === 'prediction' || name === 'probability' : hasNumbers(column);
    if (isKnown) all.push(createColumn('outputs', name, type, column, undefined));
  }
  return { columns: all.slice(0, maxColumns), leftOut: Math.max(0, all.length - maxColumns) };
}

function createColumn(
  place: Place,
  name: string,
  type: Feature['type'],
  reference: ReferenceColumn,
  absent: unknown,
): DriftColumn {
  const isNumeric = hasNumbers(reference);
  const sample = hasNumbers(reference) ? Float64Array.from(reference.sample).sort() : new Float64Array();
  const categories = hasNumbers(reference)
    ? []
    : Object.entries(reference.counts)
        .sort(([, a], [, b]) => b - a)
        .map(([category]) => category);
  const codes = new Map(categories.map((category, k) => [category, k]));
  return { place, name, type, isNumeric, reference, sample, categories, codes, absent };
}

/** A value as the number under which it is kept; NaN for a missing one. */
export function encodeValue({ isNumeric, codes, absent }: DriftColumn, given: unknown): number {
  const value = given === undefined ? absent : given;
  // A row of a log may hold anything.
  if (value === undefined || value === null || typeof value === 'object' || typeof value === 'function')
    return Number.NaN;
  if (isNumeric) return typeof value === 'number' && Number.isFinite(value) ? value : Number.NaN;
  return codes.get(typeof value === 'string' ? value : String(value)) ?? codes.size;
}
