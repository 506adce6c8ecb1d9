import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { fromFloat16, toFloat16 } from '../../../src/inference/tensors/float16.js';

// Digests from numpy 2.4.6: of all 65,536 patterns viewed as float16 and widened to float64, and of float64 values
// narrowed by astype(np.float16).
const widened = 'ecc18b9b372011f0402dc5e75578328f4b1582c725748617e1451a3ccc7981a5';
const narrowed = '06f0d04d7f2607418fa3dc9c98fd203a9cdf2a96f7ed5bde06810d6bf36e40d4';
const infinity = 0x7c00;
const sha256 = (view: ArrayBufferView) =>
  createHash('sha256')
    .update(new Uint8Array(view.buffer, view.byteOffset, view.byteLength))
    .digest('hex');

test('each of the 65,536 patterns gives the number of numpy, and converts back to itself', () => {
  const values = Float64Array.from({ length: 65_536 }, (_, bits) => fromFloat16(bits));
  const bits = new BigUint64Array(values.buffer);
  values.forEach((value, pattern) => {
    if (Number.isNaN(value)) bits[pattern] = 0x7ff8_0000_0000_0000n;
    else expect(toFloat16(value)).toBe(pattern);
  });
  expect(sha256(values)).toBe(widened);
});

test('ties round to even, and the neighbours of a tie to the nearest, as in numpy', () => {
  const cases: number[] = [];
  for (let pattern = 0; pattern < infinity; pattern += 1) {
    const value = fromFloat16(pattern);
    const next = pattern + 1 === infinity ? 65_536 : fromFloat16(pattern + 1);
    const tie = (value + next) / 2;
    cases.push(value, tie, neighbour(tie, -1n), neighbour(tie, 1n));
  }
  const both = [...cases, ...cases.map((value) => -value)];
  expect(both).toHaveLength(253_952);
  expect(sha256(Uint16Array.from(both, toFloat16))).toBe(narrowed);
});

test('NaN stays NaN, and a number that is too large becomes infinite', () => {
  expect(fromFloat16(toFloat16(Number.NaN))).toBeNaN();
  expect([65_519.99, 65_520, 1e300, -1e300].map((value) => fromFloat16(toFloat16(value)))).toEqual([
    65_504,
    Number.POSITIVE_INFINITY,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ]);
});

/** The next double away from or towards zero. */
function neighbour(value: number, step: bigint): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  view.setBigInt64(0, view.getBigInt64(0) + step);
  return view.getFloat64(0);
}
