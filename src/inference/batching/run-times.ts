/** One measured run: so many rows took so long. */
export interface MeasuredRun {
  readonly rows: number;
  readonly ms: number;
}

/** A run that was held up by something else must not count for more than this many of the usual ones. */
const maxOff = 10;

/**
 * How long the next runs will take: a part that every run has and a part for each row, as measured at load, times
 * a factor that follows the runs as they are now. The factor and its deviation are smoothed as RFC 6298 does with
 * round trips: an eighth and a quarter of each difference.
 */
export class RunTimes {
  readonly #baseMs: number;
  readonly #rowMs: number;
  #factor = 1;
  #deviation = 0;
  #fastestMs: number;

  /** From a run of one row and one of a full batch, where there are such. */
  constructor(one: MeasuredRun = { rows: 1, ms: 1 }, full: MeasuredRun = one) {
    const rowMs = full.rows > one.rows ? (full.ms - one.ms) / (full.rows - one.rows) : 0;
    this.#rowMs = Math.max(0, rowMs);
    this.#baseMs = Math.max(1e-3, one.ms - this.#rowMs * one.rows);
    this.#fastestMs = one.ms;
  }

  /** The shortest run so far: nothing is answered in less. */
  get fastestMs(): number {
    return this.#fastestMs;
  }

  /** What a run of so many rows is expected to take. */
  expectMs(rows: number): number {
    return this.#factor * this.#measuredMs(rows);
  }

  /** How far such a run may well be off. */
  spreadMs(rows: number): number {
    return 2 * this.#deviation * this.#measuredMs(rows);
  }

  observe({ rows, ms }: MeasuredRun): void {
    const ratio = Math.min(ms / this.#measuredMs(rows), maxOff * this.#factor);
    const difference = ratio - this.#factor;
    this.#factor += difference / 8;
    this.#deviation += (Math.abs(difference) - this.#deviation) / 4;
    if (ms < this.#fastestMs) this.#fastestMs = ms;
  }

  #measuredMs(rows: number): number {
    return this.#baseMs + this.#rowMs * rows;
  }
}
