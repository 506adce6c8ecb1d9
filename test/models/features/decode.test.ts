import { expect, test } from 'vitest';
import { shortenFloat32 } from '../../../src/inference/tensors/json-number.js';
import type { Tensor } from '../../../src/inference/tensors/tensor.js';
import { createClassificationDecoder, createRegressionDecoder } from '../../../src/models/features/decode.js';
import { createRandom } from '../../helpers/onnx/random.js';

const float32 = (data: readonly number[]): Tensor => ({
  type: 'float32',
  dims: [1, data.length],
  data: Float32Array.from(data),
});
const float64 = (data: readonly number[]): Tensor => ({
  type: 'float64',
  dims: [1, data.length],
  data: Float64Array.from(data),
});

// scipy 1.17.1, numpy 2.4.6: softmax of the logits as float64.
test.each([
  [
    [1000, 1001, 999],
    [0.24472847105479764, 0.6652409557748218, 0.09003057317038046],
  ],
  [
    [-1e4, 0, 1e4],
    [0, 0, 1],
  ],
  [
    [88.7, 88.8],
    [0.4750208125210615, 0.5249791874789386],
  ],
  [
    [0, 0, 0],
    [0.3333333333333333, 0.3333333333333333, 0.3333333333333333],
  ],
  [
    [Number.NEGATIVE_INFINITY, 3],
    [0, 1],
  ],
])('the softmax of %j is that of scipy', (logits, expected) => {
  const decode = createClassificationDecoder({
    probabilities: { name: 'p', type: 'float64', columns: logits.length, activation: 'softmax' },
    classes: logits.map((_, k) => k),
  });
  const { probabilities = [], probability, prediction } = decode({ p: float64(logits) }, 0);
  expected.forEach((value, k) => {
    expect(probabilities[k]).toBeCloseTo(value, 15);
  });
  expect(probability).toBe(Math.max(...probabilities));
  expect(prediction).toBe(probabilities.indexOf(Math.max(...probabilities)));
});

// scipy 1.17.1: scipy.special.expit
test.each([
  [-1000, 0],
  [-710, 0],
  [-40, 4.248354255291589e-18],
  [-1, 0.2689414213699951],
  [0, 0.5],
  [1, 0.7310585786300049],
  [36, 0.9999999999999998],
  [1000, 1],
])('the sigmoid of %d is that of scipy', (logit, expected) => {
  const decode = createClassificationDecoder({
    probabilities: { name: 'p', type: 'float64', columns: 1, activation: 'sigmoid' },
    classes: ['no', 'yes'],
  });
  const { probabilities = [], prediction } = decode({ p: float64([logit]) }, 0);
  expect(probabilities[1]).toBeCloseTo(expected, 15);
  expect(probabilities[0]).toBe(1 - (probabilities[1] as number));
  expect(prediction).toBe(expected > 0.5 ? 'yes' : 'no');
});

test('a softmax is computed over more classes than a function call can have arguments', () => {
  const count = 300_000;
  const decode = createClassificationDecoder({
    probabilities: { name: 'p', type: 'float32', columns: count, activation: 'softmax' },
    classes: Array.from({ length: count }, (_, k) => k),
  });
  const logits = new Array<number>(count).fill(0);
  logits[7] = 50;
  expect(decode({ p: float32(logits) }, 0)).toMatchObject({ prediction: 7, probability: 1 });
});

test('each row is read at its own place in the run', () => {
  const values = Float32Array.from([1, 2, 3, 4, 5, 6]);
  const decode = createRegressionDecoder('y', 2, ['a', 'b']);
  const outputs = { y: { type: 'float32', dims: [3, 2], data: values } as const };
  expect([0, 1, 2].map((row) => decode(outputs, row).prediction)).toEqual([
    { a: 1, b: 2 },
    { a: 3, b: 4 },
    { a: 5, b: 6 },
  ]);
  expect(() => decode(outputs, 3)).toThrow('The model failed on this input');
});

test('a row without a label in the outputs fails the run, for text and for numbers', () => {
  const text = createClassificationDecoder({ label: { name: 'l', type: 'string', labelIs: 'class' } });
  const number = createClassificationDecoder({ label: { name: 'l', type: 'int64', labelIs: 'class' } });
  expect(() => text({ l: { type: 'string', dims: [1], data: ['a'] } }, 1)).toThrow('The model failed');
  expect(() => number({ l: { type: 'int64', dims: [1], data: BigInt64Array.of(1n) } }, 1)).toThrow(
    'The model failed',
  );
});

test('a shortened float32 reads back as the same float32', () => {
  const random = createRandom(3);
  const bits = new Uint32Array(1);
  const float = new Float32Array(bits.buffer);
  const wrong: number[] = [];
  for (let k = 0; k < 200_000; k += 1) {
    bits[0] = Math.floor(random() * 2 ** 32);
    const value = float[0] as number;
    if (Number.isFinite(value) && !Object.is(Math.fround(shortenFloat32(value)), value)) wrong.push(value);
  }
  expect(wrong).toEqual([]);
  expect(shortenFloat32(Math.fround(0.8083))).toBe(0.8083);
  expect(shortenFloat32(Math.fround(1e-45))).toBe(1.40129846e-45);
});
