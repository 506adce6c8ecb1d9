const minSlots = 4;

/** Moments of all admissions in the window: a ring that grows by doubling and never shrinks. They never decrease. */
export class SlidingWindow {
  /** Admission k (0 = the first) is at index k modulo the length, which is a power of two. */
  #moments = new Array<number>(minSlots).fill(Number.NEGATIVE_INFINITY);
  #admitted = 0;
  #expired = 0;

  /** Admissions within the window: call `expire` before. */
  get used(): number {
    return this.#admitted - this.#expired;
  }

  get slots(): number {
    return this.#moments.length;
  }

  /** Drops admissions at `moment` or before. O(1) on average, since each admission is passed once. */
  expire(moment: number): void {
    const mask = this.#moments.length - 1;
    while (this.#expired < this.#admitted && (this.#moments[this.#expired & mask] as number) <= moment)
      this.#expired += 1;
  }

  add(moment: number, count: number): void {
    if (this.used + count > this.#moments.length) this.#grow(this.used + count);
    const mask = this.#moments.length - 1;
    for (const end = this.#admitted + count; this.#admitted < end; this.#admitted += 1) {
      this.#moments[this.#admitted & mask] = moment;
    }
  }

  /** Moment of the `count`-th oldest admission in the window; 1 is the oldest. */
  momentOf(count: number): number {
    return this.#moments[(this.#expired + count - 1) & (this.#moments.length - 1)] as number;
  }

  #grow(minSize: number): void {
    const mask = this.#moments.length - 1;
    const length = 2 ** Math.ceil(Math.log2(minSize));
    const moments = new Array<number>(length).fill(Number.NEGATIVE_INFINITY);
    for (let k = this.#expired; k < this.#admitted; k += 1) {
      moments[k & (length - 1)] = this.#moments[k & mask] as number;
    }
    this.#moments = moments;
  }
}
