import { upperGamma } from './gamma.js';

export interface ChiSquare {
  readonly statistic: number;
  readonly degreesOfFreedom: number;
  readonly pValue: number;
}

/**
 * Pearson's chi-square test of observed counts against expected ones, which must have the same sum and no zero.
 * K. Pearson, Philosophical Magazine 50 (1900).
 */
export function chiSquareTest(observed: readonly number[], expected: readonly number[]): ChiSquare {
  let statistic = 0;
  for (const [k, count] of observed.entries()) {
    const difference = count - (expected[k] as number);
    statistic += (difference * difference) / (expected[k] as number);
  }
  return toResult(statistic, observed.length - 1);
}

/**
 * The chi-square test of homogeneity: whether two samples, as counts of the same categories, may be of one distribution.
 * Categories that are in neither are left out. With two categories the differences are lessened by Yates' correction
 * (F. Yates, Supplement to the Journal of the Royal Statistical Society 1, 1934). If less than two categories are left,
 * or a sample is empty, nothing can be tested, and the p-value is 1.
 */
export function compareCounts(first: readonly number[], second: readonly number[]): ChiSquare {
  const [sumOfFirst, sumOfSecond] = [sum(first), sum(second)];
  const total = sumOfFirst + sumOfSecond;
  const used = [...first.keys()].filter((k) => (first[k] as number) + (second[k] as number) > 0);
  if (used.length < 2 || sumOfFirst === 0 || sumOfSecond === 0) return toResult(0, 0);
  const isCorrected = used.length === 2;
  let statistic = 0;
  for (const [counts, own] of [
    [first, sumOfFirst],
    [second, sumOfSecond],
  ] as const) {
    for (const k of used) {
      const expected = (((first[k] as number) + (second[k] as number)) * own) / total;
      let difference = Math.abs((counts[k] as number) - expected);
      if (isCorrected) difference -= Math.min(0.5, difference);
      statistic += (difference * difference) / expected;
    }
  }
  return toResult(statistic, used.length - 1);
}

function toResult(statistic: number, degreesOfFreedom: number): ChiSquare {
  const pValue = degreesOfFreedom === 0 ? 1 : upperGamma(degreesOfFreedom / 2, statistic / 2);
  return { statistic, degreesOfFreedom, pValue };
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
