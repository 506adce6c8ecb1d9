import { describe, expect, test } from 'vitest';
import { formCells } from '../../../src/monitoring/drift/category-cells.js';
import { compareCounts } from '../../../src/monitoring/statistics/chi-square.js';

/** The p-value of counts; the last of each is that of values without a name. */
function pValueOf(reference: readonly number[], current: readonly number[]): number {
  const names = reference.slice(1).map((_unused, k) => `c${String(k).padStart(4, '0')}`);
  const cells = formCells(names, reference, current);
  const sum = (counts: readonly number[]) => counts.reduce((all, it) => all + it, 0);
  expect(sum(cells.reference)).toBeCloseTo(sum(reference), 6);
  expect(sum(cells.current)).toBe(sum(current));
  return compareCounts(cells.reference, cells.current).pValue;
}
const fill = (count: number, value: number) => new Array<number>(count).fill(value);

describe('a change of rare categories is seen', () => {
  test.each([
    [
      'each value is new, and each category has few expected rows',
      [...fill(50, 20), 0],
      [...fill(50, 0), 200],
    ],
    ['a thousand categories give way to a new one', [...fill(1_000, 10), 0], [...fill(1_000, 0), 2_400]],
    ['the reference has values without a name, too', [...fill(1_000, 10), 50], [...fill(1_000, 0), 2_400]],
    ['a rare category is now the only one', [...fill(50, 4), 0], [200, ...fill(50, 0)]],
    ['a twentieth of the values is new', [...fill(20, 500), 0], [...fill(20, 19), 20]],
    ['one half of rare categories has left', [...fill(400, 10), 0], [...fill(200, 2), ...fill(200, 0), 0]],
  ])('%s', (_name, reference, current) => {
    expect(pValueOf(reference, current)).toBeLessThan(1e-9);
  });
});

test('values that never repeat are no drift: each of the reference was new, too', () => {
  expect(pValueOf([...fill(500, 1), 0], [...fill(500, 0), 400])).toBe(1);
});

test('one new value among many is no evidence', () => {
  expect(pValueOf([500, 498, 1, 1, 0], [200, 199, 0, 0, 1])).toBeGreaterThan(0.5);
});

/** Counts of `count` values by the frequencies, in the order of their names. */
function drawCounts(frequencies: readonly number[], count: number, random: () => number): number[] {
  const sums: number[] = [];
  for (const frequency of frequencies) sums.push((sums.at(-1) ?? 0) + frequency);
  const counts = fill(frequencies.length, 0);
  for (let k = 0; k < count; k += 1) {
    const at = random() * (sums.at(-1) as number);
    let [from, to] = [0, sums.length - 1];
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((sums[middle] as number) > at) to = middle;
      else from = middle + 1;
    }
    counts[from] = (counts[from] as number) + 1;
  }
  return counts;
}

function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(1_664_525, state) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('two samples of one distribution seldom differ at a threshold of 0.001', () => {
  const equal = (count: number) => fill(count, 1);
  // G. K. Zipf's law: few frequent values, and a long tail.
  const zipf = (count: number) => Array.from({ length: count }, (_unused, k) => 1 / (k + 1));
  test.each([
    ['few categories', equal(50), 5_000, 200],
    ['many rare categories', equal(1_000), 10_000, 2_400],
    ['a long tail', zipf(500), 1_000, 1_000],
    ['a long tail and few rows in the reference', zipf(900), 500, 5_000],
    ['more categories than the reference names', equal(5_000), 10_000, 5_000],
    ['a longer tail than the reference names', zipf(5_000), 20_000, 5_000],
  ])('%s', (_name, frequencies, rows, currentRows) => {
    const random = createRandom(17);
    // By frequency, as profile names them; the names themselves say nothing about it.
    const names = frequencies.map((_unused, k) => `c${(k * 7_919) % 1_000_003}`);
    let rejected = 0;
    for (let round = 0; round < 40; round += 1) {
      const [before, now] = [
        drawCounts(frequencies, rows, random),
        drawCounts(frequencies, currentRows, random),
      ];
      const kept = [...before.keys()]
        .filter((k) => (before[k] as number) > 0)
        .sort((a, b) => (before[b] as number) - (before[a] as number))
        .slice(0, 1_000);
      const countsOf = (counts: readonly number[], all: number) => {
        const own = kept.map((k) => counts[k] as number);
        return [...own, all - own.reduce((sum, it) => sum + it, 0)];
      };
      const cells = formCells(
        kept.map((k) => names[k] as string),
        countsOf(before, rows),
        countsOf(now, currentRows),
      );
      if (compareCounts(cells.reference, cells.current).pValue < 0.001) rejected += 1;
    }
    expect(rejected).toBeLessThanOrEqual(1);
  });
});
