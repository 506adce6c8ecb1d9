import { setImmediate as nextTurn } from 'node:timers/promises';
import { readNumber } from './json-number.js';
import { sizeOf, type Tensor } from './tensor.js';

type NestedArray = readonly (NestedArray | number | string | boolean)[];
export type NestedValue = NestedArray | number | string | boolean;

/** Elements that are written in one turn of the loop: a millisecond or two. */
const perTurn = 16_384;

/**
 * A tensor as JSON: nested arrays, a bare value where it has no dimensions; float16 as numbers, bool as true and
 * false. A large one is written over many turns of the loop, so that others are answered meanwhile.
 * Rejects with `output_not_finite` and `output_not_exact`, naming the output.
 */
export async function toJsonText(tensor: Tensor, output: string): Promise<string> {
  const pieces: string[] = [];
  for (const piece of writePieces(tensor, output)) {
    pieces.push(piece);
    if (pieces.length * perTurn < tensor.data.length) await nextTurn();
  }
  return pieces.join(',');
}

/** The same as values, at once. */
export function toNestedArrays(tensor: Tensor, output: string): NestedValue {
  return JSON.parse([...writePieces(tensor, output)].join(',')) as NestedValue;
}

/** The JSON of a tensor in pieces, between which a comma belongs. */
function* writePieces(tensor: Tensor, output: string): Generator<string> {
  const { dims } = tensor;
  const axis = dims.indexOf(0);
  // Without elements the arrays of that axis, which are empty, are what is to be written.
  const shape = axis === -1 ? dims : dims.slice(0, axis);
  const write = axis === -1 ? createWriter(tensor, output) : () => '[]';
  const size = sizeOf(shape);
  // Elements that an array of each axis spans: it begins at every multiple, and ends before the next.
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

/** As many as an input, or the outputs of one run, may have. */
export const maxArrays = 1_048_576;
