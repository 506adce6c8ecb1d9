import { ServiceError } from '../errors.js';
import type { Encode, Row } from './encode.js';
import type { Executor } from './executor.js';
import type { Tensors } from './tensor.js';

/** Where a row's answer stands: row `index` of the outputs of a run that it shared with `rows - 1` others. */
export interface RunShare {
  readonly outputs: Tensors;
  readonly index: number;
  readonly rows: number;
  readonly queueMs: number;
  readonly runMs: number;
}

export interface BatcherOptions {
  readonly executor: Executor;
  readonly encode: Encode;
  readonly fetches: readonly string[];
  readonly maxBatchRows: number;
  /** How long the first row of a batch may wait for others; 0 waits for the end of the loop's turn. */
  readonly maxBatchDelayMs: number;
  readonly maxQueueRows: number;
  /** How long a row may wait for its run to begin. */
  readonly timeoutMs: number;
}

interface Waiter {
  readonly row: Row;
  readonly since: number;
  readonly resolve: (share: RunShare) => void;
  readonly reject: (error: unknown) => void;
}

/** How long batches follow each other without a turn of the loop between them. */
const longestTurnMs = 1;

/**
 * Gathers the rows that wait at the same moment into one run, and hands each its place in the outputs.
 * One run is under way at a time; rows that come meanwhile share the next. A run that throws is split in
 * halves until the rows that made it throw stand alone, so that none fails for its neighbours.
 */
export class Batcher {
  readonly #options: BatcherOptions;
  #queue: Waiter[] = [];
  #isRunning = false;
  #immediate: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: BatcherOptions) {
    this.#options = options;
  }

  /** Rows that wait for a run to begin. */
  get queuedRows(): number {
    return this.#queue.length;
  }

  /**
   * Adds one checked row to the next run.
   * Throws `overloaded` when the queue is full, `deadline_exceeded` when no run began in time, and `run_failed`
   * when the engine refuses this row.
   */
  run(row: Row): Promise<RunShare> {
    if (this.#queue.length >= this.#options.maxQueueRows) {
      return Promise.reject(new ServiceError('overloaded', { detail: 'The queue of this model is full.' }));
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ row, since: performance.now(), resolve, reject });
      if (!this.#isRunning) this.#schedule();
    });
  }

  #schedule(): void {
    const { maxBatchDelayMs, maxBatchRows } = this.#options;
    if (this.#immediate !== undefined) return;
    if (maxBatchDelayMs === 0 || this.#queue.length >= maxBatchRows) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#immediate = setImmediate(this.#flush);
    } else {
      // A row that has waited for the run before this one has waited for others too.
      const waitedMs = performance.now() - (this.#queue[0] as Waiter).since;
      this.#timer ??= setTimeout(this.#flush, Math.max(0, maxBatchDelayMs - waitedMs));
    }
  }

  readonly #flush = (): void => {
    this.#immediate = undefined;
    this.#timer = undefined;
    if (this.#isRunning || this.#queue.length === 0) return;
    this.#isRunning = true;
    // Never rejects: every failure goes to the waiters it concerns.
    void this.#runBatches().then(() => {
      this.#isRunning = false;
      if (this.#queue.length > 0) this.#schedule();
    });
  };

  /** Runs batch after batch, for about a millisecond: then the loop has its turn, and other models theirs. */
  async #runBatches(): Promise<void> {
    const { maxBatchDelayMs, maxBatchRows } = this.#options;
    const until = performance.now() + longestTurnMs;
    do {
      const batch = this.#takeBatch();
      if (batch.length > 0) await this.#runBatch(batch);
      if (maxBatchDelayMs > 0 && this.#queue.length < maxBatchRows) return;
    } while (this.#queue.length > 0 && performance.now() < until);
  }

  /** The next rows in order of arrival, without those that have waited too long. */
  #takeBatch(): Waiter[] {
    const { maxBatchRows, timeoutMs } = this.#options;
    const oldest = performance.now() - timeoutMs;
    const batch: Waiter[] = [];
    let taken = 0;
    for (; taken < this.#queue.length && batch.length < maxBatchRows; taken += 1) {
      const waiter = this.#queue[taken] as Waiter;
      if (waiter.since >= oldest) batch.push(waiter);
      else
        waiter.reject(
          new ServiceError('deadline_exceeded', { detail: `No run began within ${timeoutMs} ms.` }),
        );
    }
    this.#queue = taken === this.#queue.length ? [] : this.#queue.slice(taken);
    return batch;
  }

  async #runBatch(batch: readonly Waiter[]): Promise<void> {
    const { executor, encode, fetches } = this.#options;
    const started = performance.now();
    try {
      const outputs = await executor.run(encode(batch.map((waiter) => waiter.row)), fetches);
      const runMs = performance.now() - started;
      for (let index = 0; index < batch.length; index += 1) {
        const waiter = batch[index] as Waiter;
        waiter.resolve({ outputs, index, rows: batch.length, queueMs: started - waiter.since, runMs });
      }
    } catch (cause) {
      // What the executor itself says, such as that its process is lost, is no row's fault: nothing is run again.
      if (batch.length === 1 || cause instanceof ServiceError) {
        const error = cause instanceof ServiceError ? cause : new ServiceError('run_failed', { cause });
        for (const waiter of batch) waiter.reject(error);
        return;
      }
      const middle = Math.ceil(batch.length / 2);
      await this.#runBatch(batch.slice(0, middle));
      await this.#runBatch(batch.slice(middle));
    }
  }
}
