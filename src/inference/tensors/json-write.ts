import { setImmediate as nextTurn } from 'node:timers/promises';
import { readNumber } from './json-number.js';
import { sizeOf, type Tensor } from './tensor.js';

type NestedArray = readonly (NestedArray | number | string | boolean)[];
export type NestedValue = NestedArray | number | string | boolean;

/** Elements written in one turn of the loop, which takes a millisecond or two. */
const perTurn = 16_384;

/**
 * A tensor as JSON: nested arrays, or a bare value for a scalar; float16 as numbers, bool as true and false. A large
 * tensor is written over many turns of the loop. Rejects with `output_not_finite` and `output_not_exact`.
 */
export async function toJsonText(tensor: Tensor, output: string): Promise<string> {
  const pieces: string[] = [];
  for (const piece of writePieces(tensor, output)) {
    pieces.push(piece);
    if (pieces.length * perTurn < tensor.data.length) await nextTurn();
  }
  return pieces.join(',');
}

export function toNestedArrays(tensor: Tensor, output: string): NestedValue {
  return JSON.parse([...writePieces(tensor, output)].join(',')) as NestedValue;
}

function* writePieces(tensor: Tensor, output: string): Generator<string> {
  const { dims } = tensor;
  const axis = dims.indexOf(0);
  // In a tensor without elements, the arrays of that axis are empty and take the place of elements.
  const shape = axis === -1 ? dims : dims.slice(0, axis);
  const write = axis === -1 ? createWriter(tensor, output) : () => '[]';
  const size = sizeOf(shape);
  // Elements in one array of each axis. Such an array begins at each multiple of them.
  const spans = shape.map((_dim, k) => sizeOf(shape.slice(k)));
  for (let from = 0; from < size; from += perTurn) {
    const to = Math.min(size, from + perTurn);
    const texts = new Array<string>(to - from);
    for (let k = from; k < to; k += 1) texts[k - from] = write(k);
    for (const span of spans) {
      const first = Math.ceil(from / span) * span;
      for (let k = first; k < to; k += span) texts[k - from] = `[${texts[k - from]}`;
      const last = Math.ceil((from + 1) / span) * span - 1;
      for (let k = last; k < to; k += span) texts[k - from] += ']';
    }
    yield texts.join(',');
  }
}

function createWriter(tensor: Tensor, output: string): (index: number) => string {
  const { type, data } = tensor;
  if (type === 'string') return (index) => JSON.stringify(data[index]);
  if (type === 'bool') return (index) => (data[index] === 1 ? 'true' : 'false');
  return (index) => String(readNumber(tensor, index, output));
}

/** Counts the arrays of the nested form: a tensor without elements may have 10^9 of them. */
export function countArrays(dims: readonly number[]): number {
  let arrays = 0;
  let ofThisLevel = 1;
  for (const dim of dims) {
    arrays += ofThisLevel;
    ofThisLevel *= dim;
  }
  return arrays;
}

/** The limit for an input, and for the outputs of one run together. */
export const maxArrays = 1_048_576;
