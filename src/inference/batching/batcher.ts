import { ServiceError } from '../../errors.js';
import type { Executor } from '../executor.js';
import type { Tensors } from '../tensor.js';
import { admit } from './admission.js';
import type { Caller } from './caller.js';
import type { RunTimes } from './run-times.js';
import { expired, fail, type RunShare, type Waiter } from './waiter.js';

export interface BatcherOptions<Row> {
  readonly executor: Executor;
  /** Makes one run of some rows. What it throws is the fault of a row among them. */
  readonly toRun: (rows: readonly Row[]) => { readonly feeds: Tensors; readonly fetches: readonly string[] };
  readonly times: RunTimes;
  readonly maxBatchRows: number;
  /** How long the first row of a batch may wait for others; 0 waits for the end of the loop's turn. */
  readonly maxBatchDelayMs: number;
  readonly maxQueueRows: number;
  /** The longest from a request's arrival to its answer. */
  readonly timeoutMs: number;
}

/** How long batches follow each other without a turn of the loop between them. */
const longestTurnMs = 1;

/**
 * Gathers the rows that wait at the same moment into one run, and hands each its place in the outputs.
 * One run is under way at a time; rows that come meanwhile share the next. A run that throws is split in
 * halves until the rows that made it throw stand alone, so that none fails for its neighbours.
 */
export class Batcher<Row> {
  readonly #options: BatcherOptions<Row>;
  #queue: Waiter<Row>[] = [];
  #isRunning = false;
  #runRows = 0;
  #runSince = 0;
  #immediate: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerDue = 0;

  constructor(options: BatcherOptions<Row>) {
    this.#options = options;
  }

  /** Rows that wait for a run to begin. */
  get queuedRows(): number {
    return this.#queue.length;
  }

  /**
   * Lets a request in, or refuses it at once: see `admit`. Gives the moment until which it is to be answered.
   * Throws `overloaded` and `deadline_exceeded`.
   */
  admit(caller: Caller): number {
    const run = this.#isRunning ? { rows: this.#runRows, since: this.#runSince } : undefined;
    return admit(caller, { queuedRows: this.#queue.length, run }, this.#options);
  }

  /**
   * Adds one checked row to the next run, to be answered until `deadline`, which `admit` gave.
   * Throws `deadline_exceeded`; `client_closed` when its connection was closed before its run; `run_failed` when
   * the engine refuses this row; what the executor throws of itself.
   */
  run(row: Row, deadline: number, connection?: Caller['connection']): Promise<RunShare> {
    return new Promise((resolve, reject) => {
      const since = performance.now();
      const waiter = { row, since, deadline, connection, resolve, reject, timer: undefined };
      this.#queue.push(waiter);
      if (this.#options.executor.kind === 'isolated') this.#watch(waiter);
      if (!this.#isRunning) this.#schedule(deadline);
    });
  }

  #watch(waiter: Waiter<Row>): void {
    const { deadline, since } = waiter;
    waiter.timer = setTimeout(() => {
      this.#queue = this.#queue.filter((other) => other !== waiter);
      waiter.reject(expired());
    }, deadline - since);
  }

  #schedule(deadline: number): void {
    const { maxBatchDelayMs, maxBatchRows, times } = this.#options;
    const queued = this.#queue.length;
    if (this.#immediate !== undefined) return;
    if (maxBatchDelayMs === 0 || queued >= maxBatchRows) {
      this.#flushNext();
      return;
    }
    // A row that has waited for the run before this one has waited for others too, and none waits too long.
    const oldest = (this.#queue[0] as Waiter<Row>).since + maxBatchDelayMs;
    const due = Math.min(oldest, deadline - times.expectMs(queued) - times.spreadMs(queued));
    if (this.#timer !== undefined && this.#timerDue <= due) return;
    clearTimeout(this.#timer);
    this.#timerDue = due;
    this.#timer = setTimeout(this.#flush, Math.max(0, due - performance.now()));
  }

  #flushNext(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#immediate = setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    this.#immediate = undefined;
    this.#timer = undefined;
    if (this.#isRunning || this.#queue.length === 0) return;
    this.#isRunning = true;
    // Never rejects: every failure goes to the waiters it concerns.
    void this.#runBatches().then(() => {
      this.#isRunning = false;
      const [first] = this.#queue;
      if (first !== undefined) this.#schedule(first.deadline);
    });
  };

  /**
   * Runs batch after batch, for about a millisecond: then the loop has its turn, and other models theirs. Where runs
   * are elsewhere the next begins before the last one's rows are told of it, which keeps this thread for a while.
   */
  async #runBatches(): Promise<void> {
    const { executor, maxBatchDelayMs, maxBatchRows } = this.#options;
    const isElsewhere = executor.kind === 'isolated';
    const until = performance.now() + longestTurnMs;
    let tell = (): void => undefined;
    do {
      const run = this.#runBatch(this.#takeBatch());
      tell();
      tell = await run;
      if (!isElsewhere) tell();
      if (maxBatchDelayMs > 0 && this.#queue.length < maxBatchRows) break;
    } while (this.#queue.length > 0 && (isElsewhere || performance.now() < until));
    if (isElsewhere) tell();
  }

  /**
   * The next rows in order of arrival, without those whose time is over and those whose caller has left, and no more
   * than are expected to be answered before the first of their deadlines.
   */
  #takeBatch(): Waiter<Row>[] {
    const { maxBatchRows, times } = this.#options;
    const now = performance.now();
    const soonest = now + times.fastestMs;
    const alone = now + times.expectMs(1);
    const full = now + times.expectMs(maxBatchRows);
    let earliest = Number.POSITIVE_INFINITY;
    const batch: Waiter<Row>[] = [];
    let taken = 0;
    for (; taken < this.#queue.length && batch.length < maxBatchRows; taken += 1) {
      const waiter = this.#queue[taken] as Waiter<Row>;
      if (waiter.connection?.destroyed) fail(waiter, new ServiceError('client_closed'));
      // One that is expected late is run for its luck, unless that is at the cost of those behind it.
      else if (waiter.deadline < (taken + 1 < this.#queue.length ? alone : soonest)) fail(waiter, expired());
      else {
        if (waiter.deadline >= alone) earliest = Math.min(earliest, waiter.deadline);
        if (earliest < full && batch.length > 0 && now + times.expectMs(batch.length + 1) > earliest) break;
        batch.push(waiter);
      }
    }
    this.#queue = taken === this.#queue.length ? [] : this.#queue.slice(taken);
    return batch;
  }

  /** Begins a run in this very turn, and gives what tells its rows how it went. Never rejects. */
  async #runBatch(batch: readonly Waiter<Row>[]): Promise<() => void> {
    const { executor, toRun, times } = this.#options;
    const rows = batch.length;
    if (rows === 0) return () => undefined;
    const started = performance.now();
    this.#runRows = rows;
    this.#runSince = started;
    try {
      const { feeds, fetches } = toRun(batch.map((waiter) => waiter.row));
      const outputs = await executor.run(feeds, fetches);
      const runMs = performance.now() - started;
      times.observe({ rows, ms: runMs });
      return () => {
        for (let index = 0; index < rows; index += 1) {
          const waiter = batch[index] as Waiter<Row>;
          clearTimeout(waiter.timer);
          waiter.resolve({ outputs, index, rows, queueMs: started - waiter.since, runMs });
        }
      };
    } catch (cause) {
      // What the executor itself says, such as that its process is lost, is no row's fault: nothing is run again. Outputs
      // that are too large together may not be so each.
      const isFinal = cause instanceof ServiceError && cause.code !== 'output_too_large';
      if (rows === 1 || isFinal) {
        const error = cause instanceof ServiceError ? cause : new ServiceError('run_failed', { cause });
        return () => {
          for (const waiter of batch) fail(waiter, error);
        };
      }
      const middle = Math.ceil(rows / 2);
      (await this.#runBatch(batch.slice(0, middle)))();
      return this.#runBatch(batch.slice(middle));
    }
  }
}
