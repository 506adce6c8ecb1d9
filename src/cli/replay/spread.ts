/** The mean, quantiles and maximum of numbers. */
export interface SpreadSummary {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Keeps all numbers, eight bytes each, so that quantiles are exact. */
export class Spread {
  #values = new Float64Array(1_024);
  #count = 0;
  #sum = 0;

  add(value: number): void {
    if (this.#count === this.#values.length) {
      const larger = new Float64Array(this.#count * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#count] = value;
    this.#count += 1;
    this.#sum += value;
  }

  /** Quantiles are those of the nearest rank: a value that occurred. Undefined without any number. */
  summarize(): SpreadSummary | undefined {
    const count = this.#count;
    if (count === 0) return undefined;
    const sorted = this.#values.slice(0, count).sort();
    const at = (share: number) => sorted[Math.max(0, Math.ceil(share * count) - 1)] as number;
    return { count, mean: this.#sum / count, p50: at(0.5), p99: at(0.99), max: at(1) };
  }
}
