export interface MeasuredRun {
  readonly rows: number;
  readonly ms: number;
}

/** A run that was held up by something else counts as at most this many usual runs. */
const maxSlowdown = 10;

/**
 * Estimates the next runs: a fixed time plus a time per row, both measured at load, times a factor that follows the
 * latest runs. The factor and its deviation are smoothed as RFC 6298 smooths round-trip times: by an eighth and a
 * quarter of each difference.
 */
export class RunTimes {
  readonly #baseMs: number;
  readonly #rowMs: number;
  #factor = 1;
  #deviation = 0;
  #fastestMs: number;

  /** `one` is a measured run of one row, `full` that of a full batch. */
  constructor(one: MeasuredRun = { rows: 1, ms: 1 }, full: MeasuredRun = one) {
    const rowMs = full.rows > one.rows ? (full.ms - one.ms) / (full.rows - one.rows) : 0;
    this.#rowMs = Math.max(0, rowMs);
    this.#baseMs = Math.max(1e-3, one.ms - this.#rowMs * one.rows);
    this.#fastestMs = one.ms;
  }

  /** The shortest run so far: no answer takes less. */
  get fastestMs(): number {
    return this.#fastestMs;
  }

  expectMs(rows: number): number {
    return this.#factor * this.#measuredMs(rows);
  }

  /** How far a run may exceed `expectMs`: twice the mean deviation. */
  spreadMs(rows: number): number {
    return 2 * this.#deviation * this.#measuredMs(rows);
  }

  observe({ rows, ms }: MeasuredRun): void {
    const ratio = Math.min(ms / this.#measuredMs(rows), maxSlowdown * this.#factor);
    const difference = ratio - this.#factor;
    this.#factor += difference / 8;
    this.#deviation += (Math.abs(difference) - this.#deviation) / 4;
    if (ms < this.#fastestMs) this.#fastestMs = ms;
  }

  #measuredMs(rows: number): number {
    return this.#baseMs + this.#rowMs * rows;
  }
}
