import { expect, test } from 'vitest';
import { countArrays, toJsonText, toNestedArrays } from '../../../src/inference/tensors/json-write.js';
import { allocate, type ElementType, sizeOf, type Tensor } from '../../../src/inference/tensors/tensor.js';

/** A tensor of the numbers from 0, or of texts and booleans made of them. */
function count(type: ElementType, dims: readonly number[]): Tensor {
  const data = allocate(type, sizeOf(dims)) as (number | string)[];
  for (let k = 0; k < data.length; k += 1)
    data[k] = type === 'string' ? `"${k}"` : type === 'bool' ? k % 2 : k;
  return { type, dims, data } as Tensor;
}

/** The expected nested arrays, built by recursion. */
function nest(tensor: Tensor): unknown {
  let next = 0;
  const level = (depth: number): unknown => {
    if (depth < tensor.dims.length)
      return Array.from({ length: tensor.dims[depth] as number }, () => level(depth + 1));
    const element = tensor.data[next++];
    return tensor.type === 'bool' ? element === 1 : element;
  };
  return level(0);
}

test.each<[ElementType, readonly number[]]>([
  ['float32', []],
  ['float32', [1]],
  ['float32', [3]],
  ['float32', [2, 3]],
  ['float64', [2, 1, 3, 1]],
  ['int32', [1, 1, 1, 1, 1]],
  ['string', [2, 2]],
  ['bool', [3, 1]],
  ['float32', [0]],
  ['float32', [2, 0]],
  ['float32', [2, 0, 3]],
  ['float32', [3, 2, 0]],
  // Around the limit of one turn, and over several turns.
  ['int32', [16_383]],
  ['int32', [16_384]],
  ['int32', [16_385]],
  ['int32', [2, 16_384]],
  ['int32', [16_384, 2, 1]],
  ['int32', [7, 11, 13, 17]],
  ['int32', [40_000, 0]],
])('%s of %j is the JSON of nested arrays', async (type, dims) => {
  const tensor = count(type, dims);
  expect(await toJsonText(tensor, 'y')).toBe(JSON.stringify(nest(tensor)));
  expect(toNestedArrays(tensor, 'y')).toEqual(nest(tensor));
});

test('a NaN at any place is rejected', async () => {
  const tensor = count('float64', [40_000]);
  (tensor.data as Float64Array)[39_999] = Number.NaN;
  await expect(toJsonText(tensor, 'y')).rejects.toMatchObject({ code: 'output_not_finite' });
});

test('writing a large tensor does not block the thread', async () => {
  let turns = 0;
  const timer = setInterval(() => {
    turns += 1;
  }, 0);
  await toJsonText(count('float32', [1_000_000]), 'y');
  clearInterval(timer);
  expect(turns).toBeGreaterThan(20);
});

test.each<[readonly number[], number]>([
  [[], 0],
  [[5], 1],
  [[5, 3], 6],
  [[2, 3, 4], 9],
  [[1e9, 0], 1e9 + 1],
])('a tensor of dims %j has %d arrays', (dims, arrays) => {
  expect(countArrays(dims)).toBe(arrays);
});
