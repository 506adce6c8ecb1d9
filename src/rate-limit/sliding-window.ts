const minSlots = 4;

/**
 * When the last ones were let in: a ring that grows by doubling, and never shrinks. Moments never go back. The ring
 * holds everything of the window, so that what is used is exact, and so is when it is free again.
 */
export class SlidingWindow {
  /** Admission k, counted from the first one, stands at k modulo the length, which is a power of two. */
  #moments = new Array<number>(minSlots).fill(Number.NEGATIVE_INFINITY);
  /** How many were let in so far, and how many of them have left the window. */
  #taken = 0;
  #left = 0;

  /** How many of the window are known; true once `expire` was told what time it is. */
  get used(): number {
    return this.#taken - this.#left;
  }

  get slots(): number {
    return this.#moments.length;
  }

  /** Leaves out what was let in at `moment` or before. Each admission is passed once, so this is O(1) on average. */
  expire(moment: number): void {
    const mask = this.#moments.length - 1;
    while (this.#left < this.#taken && (this.#moments[this.#left & mask] as number) <= moment)
      this.#left += 1;
  }

  add(moment: number, count: number): void {
    if (this.used + count > this.#moments.length) this.#grow(this.used + count);
    const mask = this.#moments.length - 1;
    for (const end = this.#taken + count; this.#taken < end; this.#taken += 1) {
      this.#moments[this.#taken & mask] = moment;
    }
  }

  /** When the one was let in after whose leaving `count` of those in the window are gone. 1 is the oldest. */
  momentOf(count: number): number {
    return this.#moments[(this.#left + count - 1) & (this.#moments.length - 1)] as number;
  }

  #grow(least: number): void {
    const mask = this.#moments.length - 1;
    const length = 2 ** Math.ceil(Math.log2(least));
    const moments = new Array<number>(length).fill(Number.NEGATIVE_INFINITY);
    for (let k = this.#left; k < this.#taken; k += 1) {
      moments[k & (length - 1)] = this.#moments[k & mask] as number;
    }
    this.#moments = moments;
  }
}
