import type { Tensors } from '../../inference/tensors/tensor.js';

/** About how many values of a row, and letters of a text, enter the hash: enough to tell most rows apart. */
const maxValues = 16;
const maxLetters = 8;

const number = new Float64Array(1);
const halves = new Int32Array(number.buffer);

/** The finalizer of MurmurHash3 (Austin Appleby, public domain), over a hash and 32 more bits. */
function mix(hash: number, bits: number): number {
  let mixed = hash ^ bits;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

function mixNumber(hash: number, value: number): number {
  number[0] = value;
  return mix(mix(hash, halves[0] as number), halves[1] as number);
}

function mixText(hash: number, text: string): number {
  let mixed = mix(hash, text.length);
  const step = Math.max(1, Math.floor(text.length / maxLetters));
  for (let k = 0; k < text.length; k += step) mixed = mix(mixed, text.charCodeAt(k));
  return mixed;
}

function mixValue(hash: number, value: unknown): number {
  if (typeof value === 'number') return mixNumber(hash, value);
  if (typeof value === 'string') return mixText(hash, value);
  if (typeof value === 'bigint') return mixNumber(hash, Number(BigInt.asIntN(53, value)));
  return mix(hash, value === null ? 1 : value === true ? 2 : value === false ? 3 : 4);
}

/** 32 bits of a checked row, equal for equal rows. Cheap, since it reads only some of the values. */
export function createRowHash(
  features: readonly string[],
): (row: Readonly<Record<string, unknown>>) => number {
  const step = Math.max(1, Math.ceil(features.length / maxValues));
  const looked = features.filter((_name, k) => k % step === 0);
  return (row) => {
    let hash = 0;
    for (const name of looked) hash = mixValue(hash, row[name]);
    return hash >>> 0;
  };
}

/** As `createRowHash`, for the inputs of a graph. */
export function hashTensors(feeds: Tensors): number {
  let hash = 0;
  for (const name in feeds) {
    const data = feeds[name]?.data ?? [];
    hash = mix(hash, data.length);
    const step = Math.max(1, Math.ceil(data.length / maxValues));
    for (let k = 0; k < data.length; k += step) hash = mixValue(hash, data[k]);
  }
  return hash >>> 0;
}
