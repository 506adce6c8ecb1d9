const digitBits = 11;
const digits = 1 << digitBits;
/** For fewer values the comparing sort is as fast. */
const minValues = 256;
/** Up to this many values with the same upper half are sorted by insertion. */
const maxInserted = 16;

const counts = [0, 1, 2].map(() => new Uint32Array(digits));
/** The halves of the values, from one digit to the next. They grow to the longest list. */
let halves = [0, 1].map(() => ({ upper: new Uint32Array(), lower: new Uint32Array() })) as [Halves, Halves];

interface Halves {
  readonly upper: Uint32Array;
  readonly lower: Uint32Array;
}

/**
 * Sorts numbers in place, in ascending order, and returns them. There must be no NaN. A radix sort by the upper 32 bits
 * of each value, digit after digit (D. E. Knuth, The Art of Computer Programming 3, 5.2.5); the few values that share
 * them are sorted after that. 10,000 values take 0.2 ms; `Float64Array.prototype.sort` takes 1 ms.
 */
export function sortNumbers(values: Float64Array): Float64Array {
  const { length } = values;
  if (length < minValues) return values.sort();
  if (halves[0].upper.length < length) halves = [createHalves(length), createHalves(length)];
  const [first, second] = halves;
  // All processors for which the engine exists store the lower half first.
  const words = new Uint32Array(values.buffer, values.byteOffset, 2 * length);
  split(words, first, length);
  move(first, second, length, 0);
  move(second, first, length, 1);
  move(first, second, length, 2);
  join(second, words, length);
  sortEqualHalves(values, second.upper);
  return values;
}

function createHalves(length: number): Halves {
  return { upper: new Uint32Array(length), lower: new Uint32Array(length) };
}

/** The bits of a negative number are inverted, and the sign of another is set: as integers they have the same order. */
function split(words: Uint32Array, { upper, lower }: Halves, length: number): void {
  const [low, middle, high] = counts as [Uint32Array, Uint32Array, Uint32Array];
  for (const list of counts) list.fill(0);
  for (let k = 0; k < length; k += 1) {
    const word = words[2 * k + 1] as number;
    const sign = word >> 31;
    const bits = (word ^ (sign | 0x8000_0000)) >>> 0;
    upper[k] = bits;
    lower[k] = (words[2 * k] as number) ^ sign;
    addTo(low, bits & (digits - 1));
    addTo(middle, (bits >>> digitBits) & (digits - 1));
    addTo(high, bits >>> (2 * digitBits));
  }
}

function addTo(list: Uint32Array, digit: number): void {
  list[digit] = (list[digit] as number) + 1;
}

function join({ upper, lower }: Halves, words: Uint32Array, length: number): void {
  for (let k = 0; k < length; k += 1) {
    const bits = upper[k] as number;
    const sign = ~(bits >> 31);
    words[2 * k] = (lower[k] as number) ^ sign;
    words[2 * k + 1] = bits ^ (sign | 0x8000_0000);
  }
}

/** Orders the values by one digit; those with the same digit stay in their order. */
function move(from: Halves, to: Halves, length: number, digit: number): void {
  const places = counts[digit] as Uint32Array;
  let next = 0;
  for (let k = 0; k < digits; k += 1) {
    const count = places[k] as number;
    places[k] = next;
    next += count;
  }
  const shift = digit * digitBits;
  for (let k = 0; k < length; k += 1) {
    const bits = from.upper[k] as number;
    const value = (bits >>> shift) & (digits - 1);
    const place = places[value] as number;
    places[value] = place + 1;
    to.upper[place] = bits;
    to.lower[place] = from.lower[k] as number;
  }
}

function sortEqualHalves(values: Float64Array, upper: Uint32Array): void {
  const { length } = values;
  for (let from = 0; from < length; ) {
    let to = from + 1;
    while (to < length && upper[to] === upper[from]) to += 1;
    if (to - from > maxInserted) sortLongRun(values.subarray(from, to));
    else insert(values, from, to);
    from = to;
  }
}

/** Many values with one upper half are equal as a rule, such as ages. */
function sortLongRun(run: Float64Array): void {
  let k = 1;
  while (k < run.length && run[k] === run[0]) k += 1;
  if (k < run.length) run.sort();
}

function insert(values: Float64Array, from: number, to: number): void {
  for (let k = from + 1; k < to; k += 1) {
    const value = values[k] as number;
    let place = k;
    while (place > from && (values[place - 1] as number) > value) {
      values[place] = values[place - 1] as number;
      place -= 1;
    }
    values[place] = value;
  }
}
