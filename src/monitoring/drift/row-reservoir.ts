/** Memory is taken for so many rows at a time, and given back. */
const chunkRows = 64;

/**
 * An even sample of the rows that came, each as `width` numbers. Rows enter it as by algorithm R (J. S. Vitter, ACM
 * Transactions on Mathematical Software 11, 1985). A sample from which random rows are dropped is still even, but it
 * cannot grow again: `capacity` is for a sample of which nothing was dropped.
 */
export class RowReservoir {
  /** Milliseconds since 1970. */
  readonly since: number;
  until: number;
  readonly #width: number;
  readonly #capacity: number;
  readonly #chunks: Float64Array[] = [];
  #seen = 0;
  #kept = 0;

  constructor(width: number, capacity: number, now: number) {
    this.#width = width;
    this.#capacity = capacity;
    this.since = now;
    this.until = now;
  }

  get seen(): number {
    return this.#seen;
  }

  get kept(): number {
    return this.#kept;
  }

  /** Counts a row. Returns its place for `chunkOf` and `offsetOf`, or -1 if it is not kept. */
  admit(now: number): number {
    this.#seen += 1;
    this.until = now;
    if (this.#kept < this.#capacity) {
      const place = this.#kept;
      if (place % chunkRows === 0) this.#chunks.push(new Float64Array(chunkRows * this.#width));
      this.#kept += 1;
      return place;
    }
    const place = Math.floor(Math.random() * this.#seen);
    return place < this.#capacity ? place : -1;
  }

  chunkOf(place: number): Float64Array {
    return this.#chunks[Math.floor(place / chunkRows)] as Float64Array;
  }

  offsetOf(place: number): number {
    return (place % chunkRows) * this.#width;
  }

  /** Drops a random row. The last one takes its place. */
  dropOne(): void {
    const place = Math.floor(Math.random() * this.#kept);
    const last = this.#kept - 1;
    const from = this.offsetOf(last);
    if (place !== last)
      this.chunkOf(place).set(this.chunkOf(last).subarray(from, from + this.#width), this.offsetOf(place));
    this.#kept = last;
    if (last % chunkRows === 0) this.#chunks.pop();
  }
}
