import type { RunTiming } from '../inference/batching/pending-row.js';

export type CacheState = 'in_use' | 'aside';

/** One in so many rows is in the sample: whatever is decided, it is looked up and remembered. */
const sampleSize = 32;
/** Rows of the sample that a decision rests on: a share of hits of 10 % is known to ±2 % then. */
const lookupsADecision = 256;
/** A decision for the cache needs so much more than it costs: one that is in balance must not change again and again. */
const marginToUse = 1.25;
/** Decisions that are waited for before the cache is tried again, at most. */
const maxPatience = 64;
/** What a run costs beside the engine: admission, encoding, decoding, writing the answer (measured: 6 to 10 µs). */
const runOverheadUs = 8;
/** What an entry costs beside the call that keeps it: the collector moves it twice (measured: 5 to 8 µs). */
const keepOverheadUs = 6;
/** What a question to a shared cache costs both ends, and the wait for it. */
const sharedLookupUs = 100;

/**
 * Decides whether a version's answers are looked up: as long as the runs that are saved cost more than looking up and
 * keeping. The sample is chosen by what a row holds, so that equal rows are all in it or all out of it, and one part of
 * the cache tells of the whole (spatially hashed sampling: Waldspurger et al., "Efficient MRC Construction with SHARDS",
 * FAST 2015). It goes through the cache even while the others do not, which is how a change of the traffic is seen.
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
  /** Decisions against the cache in a row before the next one for it counts. */
  #patience = 1;
  #asideFor = 0;
  #usedFor = 0;

  /** `isShared`: whether answers are looked up in a cache outside this process. */
  constructor(isShared: boolean) {
    this.#isShared = isShared;
  }

  get state(): CacheState {
    return this.#state;
  }

  /** For people: what the decision rests on. */
  get reason(): string | undefined {
    if (Number.isNaN(this.#hitShare)) return undefined;
    const { gainUs, costUs } = this.#balance();
    const share = `${(100 * this.#hitShare).toFixed(1)} % of the sampled rows were found`;
    return `${share}, which saves ${gainUs.toFixed(1)} µs a request and costs ${costUs.toFixed(1)} µs`;
  }

  /** `hash` is of a row, 32 bits. */
  isInSample(hash: number): boolean {
    return hash % sampleSize === 0;
  }

  /** A row of the sample was looked up, in so many milliseconds of this thread; NaN where that was not timed. */
  observeLookup(ms: number, isHit: boolean): void {
    this.#lookupUs.add(1_000 * ms);
    this.#lookups += 1;
    if (isHit) this.#hits += 1;
    if (this.#lookups >= lookupsADecision) this.#decide();
  }

  /** A row of the sample was computed and kept; `timing` is of its run. */
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
    // All were found: what a run costs is not known yet, or no longer, and nothing speaks against the cache.
    if (!this.#runUs.isKnown) return;
    const { gainUs, costUs } = this.#balance();
    if (this.#state === 'in_use') {
      this.#usedFor += 1;
      if (gainUs >= costUs) return;
      // The sample has more of the cache to itself while the others stay out: its share of hits may have been too good.
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

/** An average in which the last 64 values or so have most of the weight. */
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
