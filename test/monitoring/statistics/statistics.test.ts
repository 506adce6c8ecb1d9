import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { adjustPValues } from '../../../src/monitoring/statistics/benjamini-hochberg.js';
import { chiSquareTest, compareCounts } from '../../../src/monitoring/statistics/chi-square.js';
import { kolmogorovTail } from '../../../src/monitoring/statistics/kolmogorov-distribution.js';
import { compareSamples } from '../../../src/monitoring/statistics/kolmogorov-smirnov.js';
import { populationStability } from '../../../src/monitoring/statistics/population-stability.js';
import { wassersteinDistance } from '../../../src/monitoring/statistics/wasserstein.js';

type Draw = readonly [size: number, seed: number, count: number, shift: number];

interface Table {
  readonly samples: readonly {
    readonly first: Draw;
    readonly second: Draw;
    readonly statistic: number;
    readonly exact: number;
    readonly asymptotic: number;
    readonly wasserstein: number;
  }[];
  readonly tails: readonly { readonly n: number; readonly d: number; readonly tail: number }[];
  readonly counts: readonly {
    readonly observed: readonly number[];
    readonly expected: readonly number[];
    readonly other: readonly number[];
    readonly goodness: readonly [number, number];
    readonly homogeneity: readonly [number, number, number];
  }[];
  readonly adjusted: readonly { readonly values: readonly number[]; readonly adjusted: readonly number[] }[];
}

/** Values of scipy, which training/statistics_table.py makes. CI also passes a table of other samples. */
const path = process.env['STATISTICS_TABLE'] ?? new URL('table.json', import.meta.url);
const table: Table = JSON.parse(readFileSync(path, 'utf8'));

/** As in training/statistics_table.py. */
function draw([size, seed, count, shift]: Draw): Float64Array {
  let state = seed;
  const values = Float64Array.from({ length: size }, () => {
    state = (Math.imul(1_664_525, state) + 1_013_904_223) >>> 0;
    return ((state >>> 8) % count) + shift;
  });
  return values.sort();
}

function expectNear(value: number, expected: number, relative: number, about: string): void {
  expect(Math.abs(value - expected), `${about}: ${value} for ${expected}`).toBeLessThanOrEqual(
    relative * Math.abs(expected),
  );
}

test('the table has at least 200 cases', () => {
  const { samples, tails, counts, adjusted } = table;
  expect(samples.length + tails.length + counts.length + adjusted.length).toBeGreaterThanOrEqual(200);
});

describe('two samples', () => {
  test.each(table.samples.map((it) => [JSON.stringify([it.first, it.second]), it] as const))(
    '%s have the statistic, the p-values and the distance of scipy',
    (_name, { first, second, ...scipy }) => {
      const [a, b] = [draw(first), draw(second)];
      const exact = compareSamples(a, b, 'exact');
      expect(Math.abs(exact.statistic - scipy.statistic)).toBeLessThan(1e-9);
      expectNear(exact.pValue, scipy.exact, 1e-6, 'exact');
      expectNear(compareSamples(a, b, 'asymptotic').pValue, scipy.asymptotic, 1e-6, 'asymptotic');
      expectNear(wassersteinDistance(a, b), scipy.wasserstein, 1e-9, 'distance');
      expect(compareSamples(b, a, 'exact').statistic).toBe(exact.statistic);
    },
  );

  test('of a size for which the exact value takes long get the asymptotic one', () => {
    const [a, b] = [draw([2_000, 1, 1_000_000, 0]), draw([10_000, 2, 1_000_000, 3_000])];
    expect(compareSamples(a, b)).toEqual(compareSamples(a, b, 'asymptotic'));
  });
});

test('the distribution of the statistic of one sample has the tail of scipy', () => {
  for (const { n, d, tail } of table.tails) expectNear(kolmogorovTail(n, d), tail, 1e-6, `n=${n} d=${d}`);
});

test('counts have the chi-square statistics and p-values of scipy', () => {
  for (const { observed, expected, other, goodness, homogeneity } of table.counts) {
    const one = chiSquareTest(observed, expected);
    expectNear(one.statistic, goodness[0], 1e-9, 'goodness');
    expectNear(one.pValue, goodness[1], 1e-6, 'goodness');
    const two = compareCounts(observed, other);
    expectNear(two.statistic, homogeneity[0], 1e-9, 'homogeneity');
    expectNear(two.pValue, homogeneity[1], 1e-6, 'homogeneity');
    expect(two.degreesOfFreedom).toBe(homogeneity[2]);
  }
});

test('counts of one category, or of an empty sample, say nothing', () => {
  expect(compareCounts([5, 0], [9, 0]).pValue).toBe(1);
  expect(compareCounts([0, 0], [3, 9]).pValue).toBe(1);
});

test('p-values are adjusted as by scipy', () => {
  for (const { values, adjusted } of table.adjusted) {
    for (const [k, value] of adjustPValues(values).entries())
      expectNear(value, adjusted[k] as number, 1e-12, 'adjusted');
  }
});

test('the stability index is 0 for equal shares, symmetric, and finite for an empty bin', () => {
  expect(populationStability([0.2, 0.8], [0.2, 0.8])).toBe(0);
  // By hand: (0.4 − 0.2) ln(0.4 / 0.2) + (0.6 − 0.8) ln(0.6 / 0.8).
  expect(populationStability([0.2, 0.8], [0.4, 0.6])).toBeCloseTo(
    0.2 * Math.log(2) - 0.2 * Math.log(0.75),
    12,
  );
  expect(populationStability([0.4, 0.6], [0.2, 0.8])).toBeCloseTo(
    populationStability([0.2, 0.8], [0.4, 0.6]),
    12,
  );
  expect(populationStability([0, 1], [0.5, 0.5])).toBeLessThan(6);
});
