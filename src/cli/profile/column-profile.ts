import { maxCategories, type ReferenceColumn } from '../../models/examples/reference.js';

/** Values of a numeric column: enough for a test that finds small changes, and small files. */
const maxSample = 2_000;
/** Categories that are counted; further ones are counted together. */
const maxCounted = 100_000;

/** Collects one column of a reference. */
export class ColumnProfile {
  readonly #isNumeric: boolean;
  readonly #random: () => number;
  readonly #sample: number[] = [];
  readonly #counts = new Map<string, number>();
  #values = 0;
  #missing = 0;

  /** `random` gives numbers from 0 to 1. */
  constructor(isNumeric: boolean, random: () => number) {
    this.#isNumeric = isNumeric;
    this.#random = random;
  }

  add(value: unknown): void {
    if (value === undefined || value === null || Number.isNaN(value)) this.#missing += 1;
    else if (this.#isNumeric) this.#draw(Number(value));
    else this.#count(String(value));
  }

  finish(): ReferenceColumn {
    const all = this.#values + this.#missing;
    const missing = all === 0 ? 0 : this.#missing / all;
    if (this.#isNumeric) return { missing, sample: [...this.#sample].sort((a, b) => a - b) };
    const ranked = [...this.#counts].sort(([, a], [, b]) => b - a);
    const kept = ranked.slice(0, maxCategories);
    const others = this.#values - kept.reduce((sum, [, count]) => sum + count, 0);
    return { missing, counts: Object.fromEntries(kept), ...(others > 0 && { others }) };
  }

  /** An even sample: J. S. Vitter, ACM Transactions on Mathematical Software 11 (1985), algorithm R. */
  #draw(value: number): void {
    this.#values += 1;
    if (this.#sample.length < maxSample) this.#sample.push(value);
    else {
      const place = Math.floor(this.#random() * this.#values);
      if (place < maxSample) this.#sample[place] = value;
    }
  }

  #count(category: string): void {
    this.#values += 1;
    const count = this.#counts.get(category);
    if (count !== undefined) this.#counts.set(category, count + 1);
    else if (this.#counts.size < maxCounted) this.#counts.set(category, 1);
  }
}
