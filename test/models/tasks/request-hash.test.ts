import { describe, expect, test } from 'vitest';
import type { Row } from '../../../src/models/features/encode.js';
import { createRowKey } from '../../../src/models/features/row-key.js';
import { createRowHash, hashTensors } from '../../../src/models/tasks/request-hash.js';
import { createRandom } from '../../helpers/onnx/random.js';

const names = ['a', 'b', 'c', 'd'];

describe('the hash of a row', () => {
  test('is equal for rows with an equal text', () => {
    const random = createRandom(11);
    const pool = [0, -0, 1, 1.5, -3e9, 2 ** 40, null, true, false, undefined, '', 'x', 'a long text, rather'];
    const pick = () => pool[Math.floor(random() * pool.length)];
    const [toHash, toText] = [createRowHash(names), createRowKey(names)];
    const hashes = new Map<string, number>();
    for (let k = 0; k < 20_000; k += 1) {
      const row = Object.fromEntries(names.map((name) => [name, pick()])) as Row;
      const hash = toHash(row);
      const text = toText(row);
      expect(hashes.get(text) ?? hash).toBe(hash);
      hashes.set(text, hash);
    }
    expect(hashes.size).toBeGreaterThan(5_000);
  });

  test.each([
    ['counting numbers', (k: number) => ({ a: k, b: 1 })],
    ['fractions', (k: number) => ({ a: k / 1e8, b: 1 })],
    ['texts', (k: number) => ({ a: `client ${k}`, b: 1 })],
    ['few categories and a number', (k: number) => ({ a: k % 3 === 0, b: k })],
  ])('spreads rows evenly: one in 32 of %s', (_, rowOf) => {
    const toHash = createRowHash(names);
    const count = Array.from({ length: 32_000 }, (_unused, k) => toHash(rowOf(k) as Row) % 32).filter(
      (it) => it === 0,
    ).length;
    expect(count).toBeGreaterThan(800);
    expect(count).toBeLessThan(1_200);
  });
});

test('the hash of tensors changes with an element, and has 32 bits', () => {
  const of = (last: number) =>
    hashTensors({ X: { type: 'float32', dims: [2, 2], data: Float32Array.of(1, 2, 3, last) } });
  expect(of(4)).toBe(of(4));
  expect(of(4)).not.toBe(of(5));
  expect(of(4)).toBeLessThan(2 ** 32);
  expect(of(4)).toBeGreaterThanOrEqual(0);
});
