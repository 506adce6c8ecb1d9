import { compareCounts } from '../statistics/chi-square.js';
import { compareSamples } from '../statistics/kolmogorov-smirnov.js';
import { populationStability } from '../statistics/population-stability.js';
import { sortNumbers } from '../statistics/sort-numbers.js';
import { wassersteinDistance } from '../statistics/wasserstein.js';
import { formCells } from './category-cells.js';
import type { DriftColumn } from './drift-column.js';
import { shareInBins } from './number-bins.js';

export interface Bin {
  /** Of numbers: the values from `from` up to but without `to`; the last bin has `to`, too. If equal, this value. */
  readonly from?: number;
  readonly to?: number;
  /** Of categories. */
  readonly value?: string;
  readonly reference: number;
  readonly current: number;
}

export interface ColumnReport {
  readonly type: DriftColumn['type'];
  /** `missing_rate`: one side has no values at all. */
  readonly test: 'kolmogorov_smirnov' | 'chi_square' | 'missing_rate';
  readonly statistic: number;
  readonly pValue: number;
  readonly psi: number;
  /** The values of the reference that the test has; undefined for categories, which are counted. */
  readonly referenceValues?: number;
  /** In the unit of the column; undefined for categories, and if it is too large for a number. */
  readonly wasserstein?: number;
  readonly missing: number;
  readonly referenceMissing: number;
  /** Whether the shares of missing values may be equal, by chi-square; undefined if no value is missing anywhere. */
  readonly missingPValue?: number | undefined;
  /** The share of values that the reference does not have; undefined for numbers. */
  readonly unseen?: number;
  readonly bins: readonly Bin[];
}

const maxShownCategories = 20;

/**
 * Compares the values of one column with the reference, which describes `referenceRows`. `values` has NaN for missing
 * ones. Undefined if there is nothing to compare: neither values nor rows.
 */
export function compareColumn(
  column: DriftColumn,
  values: Float64Array,
  referenceRows: number,
): ColumnReport | undefined {
  const present = withoutMissing(values);
  const absent = values.length - present.length;
  const missing = values.length === 0 ? 0 : absent / values.length;
  const report =
    present.length === 0
      ? undefined
      : column.isNumeric
        ? compareNumbers(column, sortNumbers(present), missing)
        : compareCategories(column, present, missing);
  const { type, reference } = column;
  const expected = Math.round(reference.missing * referenceRows);
  if (referenceRows === 0 || values.length === 0 || expected + absent === 0) return report;
  const { statistic, pValue } = compareCounts([expected, referenceRows - expected], [absent, present.length]);
  if (report !== undefined) return { ...report, missingPValue: pValue };
  const shares = { missing, referenceMissing: reference.missing };
  const psi = stabilityOf([1], [1], shares);
  return { type, test: 'missing_rate', statistic, pValue, psi, ...shares, bins: [] };
}

/** The population stability index with the missing values as a bin of their own. */
function stabilityOf(
  expected: readonly number[],
  actual: readonly number[],
  { missing, referenceMissing }: Pick<ColumnReport, 'missing' | 'referenceMissing'>,
): number {
  return populationStability(
    [...expected.map((share) => share * (1 - referenceMissing)), referenceMissing],
    [...actual.map((share) => share * (1 - missing)), missing],
  );
}

/** A loop: `filter` takes as long as the comparison. */
function withoutMissing(values: Float64Array): Float64Array {
  const present = new Float64Array(values.length);
  let count = 0;
  for (let k = 0; k < values.length; k += 1) {
    const value = values[k] as number;
    if (Number.isNaN(value)) continue;
    present[count] = value;
    count += 1;
  }
  return present.subarray(0, count);
}

function compareNumbers(
  column: DriftColumn,
  current: Float64Array,
  missing: number,
): ColumnReport | undefined {
  const { sample, type, reference } = column;
  if (sample.length === 0) return undefined;
  const { expected, actual, shown } = shareInBins(sample, current);
  const rates = { missing, referenceMissing: reference.missing };
  const wasserstein = wassersteinDistance(sample, current);
  return {
    type,
    test: 'kolmogorov_smirnov',
    ...compareSamples(sample, current),
    referenceValues: sample.length,
    psi: stabilityOf(expected, actual, rates),
    ...(Number.isFinite(wasserstein) && { wasserstein }),
    ...rates,
    bins: shown,
  };
}

function compareCategories(
  column: DriftColumn,
  current: Float64Array,
  missing: number,
): ColumnReport | undefined {
  const { categories, type, reference } = column;
  if (!('counts' in reference)) return undefined;
  const { counts, others = 0 } = reference;
  const expected = [...categories.map((category) => counts[category] as number), others];
  const actual = new Array<number>(categories.length + 1).fill(0);
  for (const code of current) actual[code] = (actual[code] as number) + 1;
  const total = expected.reduce((sum, count) => sum + count, 0);
  if (total === 0 || !Number.isFinite(total)) return undefined;
  const shares = (list: readonly number[], sum: number) => list.map((count) => count / sum);
  const rates = { missing, referenceMissing: reference.missing };
  const cells = formCells(categories, expected, actual);
  const [expectedShares, actualShares] = [shares(expected, total), shares(actual, current.length)];
  return {
    type,
    test: 'chi_square',
    ...compareCounts(cells.reference, cells.current),
    psi: stabilityOf(expectedShares, actualShares, rates),
    ...rates,
    unseen: others > 0 ? 0 : (actualShares.at(-1) as number),
    bins: toCategoryBins(categories, expectedShares, actualShares),
  };
}

function toCategoryBins(
  categories: readonly string[],
  expected: readonly number[],
  actual: readonly number[],
): readonly Bin[] {
  const shown = categories.slice(0, maxShownCategories).map((value, k) => ({
    value,
    reference: expected[k] as number,
    current: actual[k] as number,
  }));
  const rest = (list: readonly number[]) => list.slice(shown.length).reduce((sum, share) => sum + share, 0);
  const [reference, current] = [rest(expected), rest(actual)];
  return reference + current > 0 ? [...shown, { value: '(others)', reference, current }] : shown;
}
