const minSlots = 4;

/** What a client was admitted to in the last window. */
export interface AdmissionWindow {
  /** The costs within the window: call `expire` before. */
  readonly used: number;
  /** Memory of the log. */
  readonly bytes: number;
  /** Drops admissions at `moment` or before. O(1) on average, since each admission is passed once. */
  expire(moment: number): void;
  /** `moment` is never before that of an earlier call, and `cost` is at least 1. */
  add(moment: number, cost: number): void;
  /** The moment of the admission that took the `count`-th place of those in use; 1 is the oldest place. */
  momentOf(count: number): number;
}

/** A window for costs of 1: the moment of each place. A ring that grows by doubling and never shrinks. */
export class SlidingWindow implements AdmissionWindow {
  /** Admission k (0 = the first) is at index k modulo the length, which is a power of two. */
  #moments = new Array<number>(minSlots).fill(0);
  #admitted = 0;
  #expired = 0;

  get used(): number {
    return this.#admitted - this.#expired;
  }

  get bytes(): number {
    return 8 * this.#moments.length;
  }

  expire(moment: number): void {
    const mask = this.#moments.length - 1;
    while (this.#expired < this.#admitted && (this.#moments[this.#expired & mask] as number) <= moment)
      this.#expired += 1;
  }

  add(moment: number, cost: number): void {
    const size = this.used + cost;
    if (size > this.#moments.length) this.#moments = grow(this.#moments, this.#expired, this.#admitted, size);
    const mask = this.#moments.length - 1;
    for (const end = this.#admitted + cost; this.#admitted < end; this.#admitted += 1) {
      this.#moments[this.#admitted & mask] = moment;
    }
  }

  momentOf(count: number): number {
    return this.#moments[(this.#expired + count - 1) & (this.#moments.length - 1)] as number;
  }
}

/** A window for large costs: an entry for each admission, whatever its cost. */
export class CostWindow implements AdmissionWindow {
  /** Entry k is at index k modulo the length: its moment, and all costs up to it. */
  #moments = new Array<number>(minSlots).fill(0);
  #totals = new Array<number>(minSlots).fill(0);
  #first = 0;
  #end = 0;
  #admitted = 0;
  #expired = 0;

  get used(): number {
    return this.#admitted - this.#expired;
  }

  get bytes(): number {
    return 16 * this.#moments.length;
  }

  expire(moment: number): void {
    const mask = this.#moments.length - 1;
    for (
      ;
      this.#first < this.#end && (this.#moments[this.#first & mask] as number) <= moment;
      this.#first += 1
    )
      this.#expired = this.#totals[this.#first & mask] as number;
  }

  add(moment: number, cost: number): void {
    const size = this.#end - this.#first + 1;
    if (size > this.#moments.length) {
      this.#moments = grow(this.#moments, this.#first, this.#end, size);
      this.#totals = grow(this.#totals, this.#first, this.#end, size);
    }
    const mask = this.#moments.length - 1;
    this.#admitted += cost;
    this.#moments[this.#end & mask] = moment;
    this.#totals[this.#end & mask] = this.#admitted;
    this.#end += 1;
  }

  momentOf(count: number): number {
    const mask = this.#moments.length - 1;
    const wanted = this.#expired + count;
    let [from, to] = [this.#first, this.#end - 1];
    while (from < to) {
      const middle = Math.floor((from + to) / 2);
      if ((this.#totals[middle & mask] as number) < wanted) from = middle + 1;
      else to = middle;
    }
    return this.#moments[from & mask] as number;
  }
}

/** A longer ring with the items `from` to `end`. */
function grow(ring: readonly number[], from: number, end: number, minSize: number): number[] {
  const length = 2 ** Math.ceil(Math.log2(minSize));
  const longer = new Array<number>(length).fill(0);
  for (let k = from; k < end; k += 1) longer[k & (length - 1)] = ring[k & (ring.length - 1)] as number;
  return longer;
}
