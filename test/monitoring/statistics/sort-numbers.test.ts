import { expect, test } from 'vitest';
import { sortNumbers } from '../../../src/monitoring/statistics/sort-numbers.js';
import { createRandom } from '../../helpers/onnx/random.js';

const random = createRandom(7);
const anyBits = (): number => {
  const [value] = new Float64Array(Uint32Array.of(random() * 2 ** 32, random() * 2 ** 32).buffer);
  return Number.isNaN(value) ? 0 : (value as number);
};
const special = [0, -0, 1, -1, 5e-324, -5e-324, Number.MAX_VALUE, -Number.MAX_VALUE, Infinity, -Infinity];
const pick = (values: readonly number[]) => values[Math.floor(random() * values.length)] as number;

test.each<[string, () => number]>([
  ['numbers of any size and sign', anyBits],
  ['numbers around zero', () => random() - 0.5],
  ['whole numbers', () => Math.floor(random() * 60) - 30],
  ['amounts in cents', () => Math.round(random() * 1e6) / 100],
  ['numbers that differ in their last bits alone', () => 1 + random() * 1e-9],
  [
    'pairs that differ in their last bits alone',
    () => Math.floor(random() * 5_000) + pick([0, 1e-12, 2e-12]),
  ],
  ['one value', () => -3.5],
  ['zeros, infinities, and the smallest numbers', () => pick(special)],
])('the order is that of a comparing sort: %s', (_what, next) => {
  for (const length of [0, 1, 2, 255, 256, 257, 10_000, 3_000]) {
    const values = Float64Array.from({ length }, next);
    const expected = values.toSorted();
    expect(sortNumbers(values)).toBe(values);
    expect(values).toEqual(expected);
  }
});

test('a part of a list is sorted, and the rest of it stays', () => {
  const list = Float64Array.from({ length: 1_002 }, (_, k) => -k);
  sortNumbers(list.subarray(1, 1_001));
  expect([list[0], list[1], list[1_000], list[1_001]]).toEqual([-0, -1_000, -1, -1_001]);
});
