import { type AdmissionWindow, grow, minSlots } from './admission-window.js';

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
