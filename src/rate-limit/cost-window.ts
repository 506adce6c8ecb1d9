import { type AdmissionWindow, grow, minSlots } from './admission-window.js';

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
