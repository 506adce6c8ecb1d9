import { admit } from './admission.js';
import { BatchRunner, type BatchRunnerOptions } from './batch-runner.js';
import type { CallContext } from './call-context.js';
import { deadlineExceeded, type PendingRow, type RowOutput, tooShort } from './pending-row.js';
import { RowQueue } from './row-queue.js';

export interface BatcherOptions<Row> extends BatchRunnerOptions<Row> {
  readonly maxBatchRows: number;
  /** How long the first row of a batch may wait for others; 0 waits for the end of the loop's turn. */
  readonly maxBatchDelayMs: number;
  readonly maxQueueRows: number;
  /** The size of an entry: one row by default, which shares a run with any other. */
  readonly sizeOf?: ((row: Row) => EntrySize | undefined) | undefined;
}

/** What a run needs of its request. */
export type RunContext = Pick<CallContext, 'deadline' | 'connection' | 'requestId'>;

export type EntrySize = Pick<PendingRow<unknown>, 'rows' | 'weight' | 'group'>;

/** How long batches follow each other without a turn of the loop between them. */
const maxTurnMs = 1;
const oneRow = { rows: 1, weight: 1, group: '' } as const;

/**
 * Gathers the entries that wait at the same moment into one run, and hands each its place in the outputs. An entry is a
 * row of features, or the rows of a request of tensors. One run is under way at a time; what comes meanwhile shares the
 * next. No entry fails for its neighbours: see `BatchRunner`.
 */
export class Batcher<Row> {
  readonly #options: BatcherOptions<Row>;
  readonly #runner: BatchRunner<Row>;
  readonly #queue = new RowQueue<Row>();
  #isRunning = false;
  #immediate: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerDue = 0;

  constructor(options: BatcherOptions<Row>) {
    this.#options = options;
    this.#runner = new BatchRunner(options);
  }

  /** The most rows of one run. */
  get maxBatchRows(): number {
    return this.#options.maxBatchRows;
  }

  /** Rows that wait for a run to begin. */
  get queuedRows(): number {
    return this.#queue.rows;
  }

  /** Refuses a request of so many rows if it cannot be answered in time. Throws as `admit` does. */
  admit(call: CallContext, rows = 1): void {
    const { rows: queuedRows, weight: queuedWeight } = this.#queue;
    admit(call, rows, { queuedRows, queuedWeight, run: this.#runner.current }, this.#options);
  }

  /**
   * Adds one checked entry of an admitted request to the next run.
   * Throws `deadline_exceeded`; `client_closed` when its connection was closed before its run; `run_failed` when
   * the engine refuses this entry, or when equal ones have ended their processes; what the executor throws of itself.
   */
  run(row: Row, { deadline, connection, requestId }: RunContext): Promise<RowOutput> {
    return new Promise((resolve, reject) => {
      const since = performance.now();
      const { rows, weight, group } = this.#options.sizeOf?.(row) ?? oneRow;
      const kills = this.#runner.countKills(row);
      // One literal: an object made by spreading another took 4 µs (Node 20.20).
      const waiter: PendingRow<Row> = {
        row,
        rows,
        weight,
        group,
        since,
        deadline,
        connection,
        requestId,
        resolve,
        reject,
        timer: undefined,
        kills,
      };
      this.#queue.push(waiter);
      if (this.#options.executor.kind === 'isolated') this.#watch(waiter);
      if (!this.#isRunning) this.#schedule(deadline);
    });
  }

  #watch(waiter: PendingRow<Row>): void {
    const { deadline, since } = waiter;
    waiter.timer = setTimeout(() => {
      const isQueued = this.#queue.remove(waiter);
      waiter.reject(isQueued ? deadlineExceeded() : tooShort());
    }, deadline - since);
  }

  #schedule(deadline: number): void {
    const { maxBatchDelayMs, maxBatchRows, times } = this.#options;
    const queued = this.#queue.weight;
    if (this.#immediate !== undefined) return;
    if (maxBatchDelayMs === 0 || queued >= maxBatchRows) {
      this.#flushNext();
      return;
    }
    // A row that has waited for the run before this one has waited for others too, and none waits too long.
    const oldest = (this.#queue.first as PendingRow<Row>).since + maxBatchDelayMs;
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
    if (this.#isRunning || this.#queue.first === undefined) return;
    this.#isRunning = true;
    // Never rejects: every failure goes to the waiters it concerns.
    void this.#runBatches().then(() => {
      this.#isRunning = false;
      const { first } = this.#queue;
      if (first !== undefined) this.#schedule(first.deadline);
    });
  };

  /**
   * Runs batch after batch for about a millisecond. Then the event loop has its turn, and so have other models. An
   * isolated version's next run begins before the rows of the last run get their answers, since answering them takes
   * this thread's time.
   */
  async #runBatches(): Promise<void> {
    const { executor, maxBatchDelayMs, maxBatchRows, times } = this.#options;
    const isElsewhere = executor.kind === 'isolated';
    const until = performance.now() + maxTurnMs;
    let settle = (): void => undefined;
    do {
      const run = this.#runner.run(this.#queue.take(times, maxBatchRows));
      settle();
      settle = await run;
      if (!isElsewhere) settle();
      if (maxBatchDelayMs > 0 && this.#queue.weight < maxBatchRows) break;
    } while (this.#queue.first !== undefined && (isElsewhere || performance.now() < until));
    if (isElsewhere) settle();
  }
}
