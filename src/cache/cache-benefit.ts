import type { RunTiming } from '../inference/batching/pending-row.js';

export type CacheState = 'in_use' | 'aside';

const sampleSize = 32;
/** With 256 rows of the sample, a hit rate of 10 % is known to ±2 %. */
const lookupsADecision = 256;
/** Gain over cost from which the cache is used again. The margin avoids frequent changes near the balance. */
const marginToUse = 1.25;
const maxPatience = 64;
/** Cost of a run besides the engine: admission, encoding, decoding, writing the answer (measured: 6 to 10 µs). */
const runOverheadUs = 8;
/** Cost of an entry besides `set`: the garbage collector moves it twice (measured: 5 to 8 µs). */
const keepOverheadUs = 6;
/** Cost of a lookup in a shared cache at both ends, with the wait for it. */
const sharedLookupUs = 100;

/**
 * Decides per version whether the saved runs cost more than lookups and stores. A row's hash selects the sample, so all
 * equal rows are in it or none is (spatially hashed sampling: Waldspurger et al., "Efficient MRC Construction with
 * SHARDS", FAST 2015). Rows of the sample use the cache even while it is `aside`, so a change of traffic is noticed.
 */
export class CacheBenefit {
  readonly #isShared: boolean;
  #state: CacheState = 'in_use';
  #lookups = 0;
  #hits = 0;
  #lookupUs = new Average();
  #keepUs = new Average();
  #runUs = new Average();
  #hitShare = Number.NaN;
  /** Decisions to wait before the cache may be used again. */
  #patience = 1;
  #asideFor = 0;
  #usedFor = 0;

  constructor(isShared: boolean) {
    this.#isShared = isShared;
  }

  get state(): CacheState {
    return this.#state;
  }

  get reason(): string | undefined {
    if (Number.isNaN(this.#hitShare)) return undefined;
    const { gainUs, costUs } = this.#balance();
    const share = `${(100 * this.#hitShare).toFixed(1)} % of the sampled rows were hits`;
    return `${share}: the cache saves ${gainUs.toFixed(1)} µs and costs ${costUs.toFixed(1)} µs a request`;
  }

  isInSample(hash: number): boolean {
    return hash % sampleSize === 0;
  }

  /** Records a lookup for a row of the sample. `ms` is time of this thread; NaN if it was not measured. */
  observeLookup(ms: number, isHit: boolean): void {
    this.#lookupUs.add(1_000 * ms);
    this.#lookups += 1;
    if (isHit) this.#hits += 1;
    if (this.#lookups >= lookupsADecision) this.#decide();
  }

  observeRun({ runMs, batchRows, ownRows }: RunTiming, keepMs: number): void {
    this.#runUs.add((1_000 * runMs * ownRows) / batchRows);
    this.#keepUs.add(1_000 * keepMs);
  }

  #balance(): { readonly gainUs: number; readonly costUs: number } {
    const lookupUs = this.#lookupUs.value + (this.#isShared ? sharedLookupUs : 0);
    return {
      gainUs: this.#hitShare * (this.#runUs.value + runOverheadUs),
      costUs: lookupUs + (1 - this.#hitShare) * (this.#keepUs.value + keepOverheadUs),
    };
  }

  #decide(): void {
    this.#hitShare = this.#hits / this.#lookups;
    [this.#hits, this.#lookups] = [0, 0];
    // All rows were hits so far: the cost of a run is unknown, and the cache stays in use.
    if (!this.#runUs.isKnown) return;
    const { gainUs, costUs } = this.#balance();
    if (this.#state === 'in_use') {
      this.#usedFor += 1;
      if (gainUs >= costUs) return;
      // While the cache is `aside`, the sample has it to itself: the hit rate may have been too high.
      const wasShort = this.#asideFor > 0 && this.#usedFor <= 8;
      this.#patience = wasShort ? Math.min(maxPatience, 2 * this.#patience) : 1;
      this.#state = 'aside';
      this.#asideFor = 0;
    } else {
      this.#asideFor += 1;
      if (this.#asideFor < this.#patience || gainUs < marginToUse * costUs) return;
      this.#state = 'in_use';
      this.#usedFor = 0;
    }
  }
}

/** Exponential average over about 64 values. */
class Average {
  #count = 0;
  value = 0;

  get isKnown(): boolean {
    return this.#count > 0;
  }

  add(value: number): void {
    if (Number.isNaN(value)) return;
    this.#count = Math.min(64, this.#count + 1);
    this.value += (value - this.value) / this.#count;
  }
}
