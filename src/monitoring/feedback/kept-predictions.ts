/** Numbers of a prediction that have room on average: a prediction with more takes the place of several. */
const valuesEach = 4;
const notHex = 255;
const hexDigits = new Uint8Array(128).fill(notHex);
for (let k = 0; k < 16; k += 1) {
  hexDigits[k.toString(16).charCodeAt(0)] = k;
  hexDigits[k.toString(16).toUpperCase().charCodeAt(0)] = k;
}

/** A UUID as text, as `randomUUID` returns it. */
export const predictionIdPattern = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;

/**
 * The last predictions in arrays of numbers: about 95 bytes each. The oldest one leaves if a new one
 * needs its place. `find` goes through a chain of each hash, on average of one entry. An id must match
 * `predictionIdPattern`.
 */
export class KeptPredictions {
  readonly #capacity: number;
  readonly #ids: Int32Array;
  readonly #next: Int32Array;
  readonly #heads: Int32Array;
  readonly #headMask: number;
  /** Seconds of a clock of the caller. */
  readonly #at: Uint32Array;
  readonly #version: Int32Array;
  readonly #key: Int32Array;
  readonly #predicted: Int32Array;
  readonly #starts: Float64Array;
  readonly #lengths: Uint32Array;
  readonly #values: Float64Array;
  readonly #valueMask: number;
  readonly #onEvict: (slot: number, at: number) => void;
  #oldest = 0;
  #size = 0;
  #valuesWritten = 0;

  /** `onEvict` gets the slot of a prediction that leaves, and the second at which it was kept. */
  constructor(capacity: number, onEvict: (slot: number, at: number) => void) {
    this.#capacity = capacity;
    this.#onEvict = onEvict;
    const heads = 2 ** Math.ceil(Math.log2(capacity));
    const values = heads * valuesEach;
    this.#ids = new Int32Array(capacity * 4);
    this.#next = new Int32Array(capacity);
    this.#heads = new Int32Array(heads).fill(-1);
    this.#headMask = heads - 1;
    this.#at = new Uint32Array(capacity);
    this.#version = new Int32Array(capacity);
    this.#key = new Int32Array(capacity);
    this.#predicted = new Int32Array(capacity);
    this.#starts = new Float64Array(capacity);
    this.#lengths = new Uint32Array(capacity);
    this.#values = new Float64Array(values);
    this.#valueMask = values - 1;
  }

  get size(): number {
    return this.#size;
  }

  /** The most values of one prediction. */
  get maxValues(): number {
    return this.#values.length;
  }

  /** Returns where the caller must `put` its values, `length` of them, before the next call. */
  keep(id: string, at: number, version: number, key: number, predicted: number, length: number): number {
    const start = this.#valuesWritten;
    const floor = start + length - this.#values.length;
    while (
      this.#size === this.#capacity ||
      (this.#size > 0 && (this.#starts[this.#oldest] as number) < floor)
    )
      this.evict();
    let slot = this.#oldest + this.#size;
    if (slot >= this.#capacity) slot -= this.#capacity;
    const ids = this.#ids;
    const word = slot * 4;
    ids[word] = readHex(id, 0, 8);
    ids[word + 1] = (readHex(id, 9, 13) << 16) | readHex(id, 14, 18);
    ids[word + 2] = (readHex(id, 19, 23) << 16) | readHex(id, 24, 28);
    ids[word + 3] = readHex(id, 28, 36);
    const head = this.#headOf(word);
    this.#next[slot] = this.#heads[head] as number;
    this.#heads[head] = slot;
    this.#at[slot] = at;
    this.#version[slot] = version;
    this.#key[slot] = key;
    this.#predicted[slot] = predicted;
    this.#starts[slot] = start;
    this.#lengths[slot] = length;
    this.#size += 1;
    this.#valuesWritten = start + length;
    return start;
  }

  put(position: number, value: number): void {
    this.#values[position & this.#valueMask] = value;
  }

  /** The slot of an id; -1 if it is not kept. */
  find(id: string): number {
    const words = [
      readHex(id, 0, 8),
      (readHex(id, 9, 13) << 16) | readHex(id, 14, 18),
      (readHex(id, 19, 23) << 16) | readHex(id, 24, 28),
      readHex(id, 28, 36),
    ] as const;
    let slot = this.#heads[(words[0] ^ words[3]) & this.#headMask] as number;
    while (slot >= 0 && !words.every((word, k) => this.#ids[slot * 4 + k] === word))
      slot = this.#next[slot] as number;
    return slot;
  }

  idOf(slot: number): string {
    const hex = Array.from(this.#ids.subarray(slot * 4, slot * 4 + 4), (it) =>
      (it >>> 0).toString(16).padStart(8, '0'),
    ).join('');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  /** What was kept in a slot. */
  read(slot: number) {
    const start = this.#starts[slot] as number;
    const length = this.#lengths[slot] as number;
    return {
      at: this.#at[slot] as number,
      version: this.#version[slot] as number,
      key: this.#key[slot] as number,
      predicted: this.#predicted[slot] as number,
      values: Array.from({ length }, (_, k) => this.#values[(start + k) & this.#valueMask] as number),
    };
  }

  /** The slot of the k-th prediction, from the oldest. */
  slotAt(k: number): number {
    return (this.#oldest + k) % this.#capacity;
  }

  /** Removes the oldest prediction. */
  evict(): void {
    const slot = this.#oldest;
    const head = this.#headOf(slot * 4);
    // The oldest of a chain is its last.
    let at = this.#heads[head] as number;
    if (at === slot) this.#heads[head] = -1;
    else {
      while (this.#next[at] !== slot) at = this.#next[at] as number;
      this.#next[at] = -1;
    }
    this.#oldest = slot + 1 === this.#capacity ? 0 : slot + 1;
    this.#size -= 1;
    this.#onEvict(slot, this.#at[slot] as number);
  }

  #headOf(word: number): number {
    return ((this.#ids[word] as number) ^ (this.#ids[word + 3] as number)) & this.#headMask;
  }
}

/** Up to 8 digits as 32 bits. */
function readHex(text: string, from: number, to: number): number {
  let number = 0;
  for (let k = from; k < to; k += 1) number = (number << 4) | (hexDigits[text.charCodeAt(k)] as number);
  return number;
}
