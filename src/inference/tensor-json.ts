import { readNumber } from './element.js';
import type { Tensor } from './tensor.js';

type NestedArray = readonly (NestedArray | number | string | boolean)[];
export type NestedValue = NestedArray | number | string | boolean;

/**
 * A tensor as nested arrays, a bare value where it has no dimensions; float16 as numbers, bool as true and false.
 * Throws `output_not_finite` and `output_not_exact`, naming the output.
 */
export function toNestedArrays(tensor: Tensor, output: string): NestedValue {
  let next = 0;
  const element = (index: number): NestedValue => {
    if (tensor.type === 'string') return tensor.data[index] as string;
    if (tensor.type === 'bool') return tensor.data[index] === 1;
    return readNumber(tensor, index, output);
  };
  const level = (depth: number): NestedValue => {
    if (depth === tensor.dims.length) return element(next++);
    return Array.from({ length: tensor.dims[depth] as number }, () => level(depth + 1));
  };
  return level(0);
}

/** How many arrays the nested form has: a tensor without a single element may have 10^9 of them. */
export function countArrays(dims: readonly number[]): number {
  let arrays = 0;
  let ofThisLevel = 1;
  for (const dim of dims) {
    arrays += ofThisLevel;
    ofThisLevel *= dim;
  }
  return arrays;
}

/** As many as are made of one tensor, or of the outputs of one run: 64 MB of memory. */
export const mostArrays = 1_048_576;
