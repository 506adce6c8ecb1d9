import { ServiceError } from '../../errors.js';
import { type Executor, RunEndedError } from '../engine/executor.js';
import type { Tensors } from '../tensors/tensor.js';
import { FatalInputs } from './fatal-inputs.js';
import { deadlineExceeded, type PendingRow, rejectRow } from './pending-row.js';
import type { RunTimes } from './run-times.js';

export interface BatchRunnerOptions<Row> {
  readonly executor: Executor;
  /** Makes one run of some entries. What it throws is the fault of an entry among them. */
  readonly toRun: (rows: readonly Row[]) => { readonly feeds: Tensors; readonly fetches: readonly string[] };
  readonly times: RunTimes;
  /** The longest run. */
  readonly timeoutMs: number;
  /** Equal for equal entries. Without it an input that ends processes is tried each time that it comes. */
  readonly textOf?: ((row: Row) => string) | undefined;
  /** Called when one request alone has ended the process: `how` is a signal or a reason. */
  readonly onFatal?: ((requestId: string | undefined, how: string) => void) | undefined;
}

/** Entries that end their process are looked for one by one where that takes at most so long, else by halves. */
const maxSearchMs = 250;
/** An input that has ended its process so often is not tried again. */
const maxKills = 2;
/** Ends that an operator or the kernel's memory killer causes, and not the input. */
const foreignEnds = new Set(['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP']);

/**
 * Runs batches, one at a time, and finds out whose fault a failure is. A run that throws is split in halves until the
 * entries that made it throw stand alone. The entries of a run that ended its process are run again without those that
 * ended it, so that none fails for its neighbours.
 */
export class BatchRunner<Row> {
  readonly #options: BatchRunnerOptions<Row>;
  readonly #fatal = new FatalInputs();
  #current: { readonly rows: number; readonly since: number } | undefined;

  constructor(options: BatchRunnerOptions<Row>) {
    this.#options = options;
  }

  /** The run under way, and since when by `performance.now()`. */
  get current(): { readonly rows: number; readonly since: number } | undefined {
    return this.#current;
  }

  /** How many processes an equal entry has ended. Throws `run_failed` where those are too many to try it again. */
  countKills(row: Row): number {
    const { textOf } = this.#options;
    if (this.#fatal.isEmpty || textOf === undefined) return 0;
    const kills = this.#fatal.countOf(textOf(row));
    if (kills < maxKills) return kills;
    throw new ServiceError('run_failed', {
      detail: 'This input has ended the process of the model before, and is not tried again.',
    });
  }

  /** Begins a run in this very turn, and gives what settles its entries. Never rejects. */
  async run(batch: readonly PendingRow<Row>[]): Promise<() => void> {
    if (batch.length === 0) return () => undefined;
    const outcome = await this.#attempt(batch, batch.length > 1 ? this.#shortLimitMs(batch) : undefined);
    return typeof outcome === 'function' ? outcome : this.#settleFailure(batch, outcome.error);
  }

  async #attempt(
    batch: readonly PendingRow<Row>[],
    limitMs: number | undefined,
  ): Promise<(() => void) | { readonly error: unknown }> {
    const { executor, toRun, times } = this.#options;
    const weight = weigh(batch);
    const started = performance.now();
    this.#current = { rows: weight, since: started };
    try {
      const { feeds, fetches } = toRun(batch.map((waiter) => waiter.row));
      const outputs = await executor.run(feeds, fetches, limitMs);
      const runMs = performance.now() - started;
      times.observe({ rows: weight, ms: runMs });
      if (!this.#fatal.isEmpty) this.#forgive(batch);
      return () => {
        const batchRows = countRows(batch);
        let batchIndex = 0;
        for (const waiter of batch) {
          clearTimeout(waiter.timer);
          const queueMs = started - waiter.since;
          const timing = { queueMs, runMs, batchRows, batchIndex, ownRows: waiter.rows };
          waiter.resolve({ outputs, timing });
          batchIndex += waiter.rows;
        }
      };
    } catch (error) {
      return { error };
    } finally {
      this.#current = undefined;
    }
  }

  async #settleFailure(batch: readonly PendingRow<Row>[], error: unknown): Promise<() => void> {
    const ended = endOf(error);
    const [only, second] = batch;
    if (only !== undefined && second === undefined) {
      if (ended !== undefined && !ended.isLate) this.#blame(only, ended.message);
      return failAll(batch, toServiceError(error));
    }
    if (ended !== undefined) return this.#rescue(batch);
    // What the executor itself says is no entry's fault: nothing is run again. Outputs that are too large together may
    // not be so each.
    if (error instanceof ServiceError && error.code !== 'output_too_large') return failAll(batch, error);
    const [left, right] = halve(batch);
    (await this.run(left))();
    return this.run(right);
  }

  /**
   * Runs the entries of a run that has ended its process again, in smaller runs. One that takes too long while others
   * wait for it comes last, and has all the time there is then.
   */
  async #rescue(batch: readonly PendingRow<Row>[]): Promise<() => void> {
    for (const waiter of batch) waiter.kills += 1;
    const isQuick = this.#options.times.expectMs(1) * weigh(batch) <= maxSearchMs;
    const late: PendingRow<Row>[] = [];
    for (const piece of isQuick ? batch.map((waiter) => [waiter]) : halve(batch)) {
      await this.#rerun(piece, late);
    }
    for (const waiter of late) await this.#rerun([waiter]);
    return () => undefined;
  }

  /** With `late`, a lone entry is ended at the limit of a shared run, and added there. */
  async #rerun(piece: readonly PendingRow<Row>[], late?: PendingRow<Row>[]): Promise<void> {
    const now = performance.now();
    const waiting = piece.filter(({ deadline, connection }) => deadline > now && !connection?.destroyed);
    for (const waiter of piece) if (!waiting.includes(waiter)) rejectRow(waiter, deadlineExceeded());
    const [only] = waiting;
    if (only === undefined) return;
    const limitMs = late === undefined ? undefined : this.#shortLimitMs(waiting);
    const outcome = await this.#attempt(waiting, limitMs);
    if (typeof outcome === 'function') outcome();
    else if (waiting.length === 1 && limitMs !== undefined && endOf(outcome.error)?.isLate) late?.push(only);
    else (await this.#settleFailure(waiting, outcome.error))();
  }

  /**
   * A run for which others wait is ended early, so that there is time left to run those without an endless one: after
   * a quarter of the longest run, and several times what it is expected to take. Undefined where that is longer.
   */
  #shortLimitMs(batch: readonly PendingRow<Row>[]): number | undefined {
    const { times, timeoutMs } = this.#options;
    const rows = weigh(batch);
    const limitMs = Math.max(timeoutMs / 4, 4 * (times.expectMs(rows) + times.spreadMs(rows)));
    return limitMs < timeoutMs ? limitMs : undefined;
  }

  #blame(waiter: PendingRow<Row>, how: string): void {
    const { onFatal, textOf } = this.#options;
    if (foreignEnds.has(how)) return;
    onFatal?.(waiter.requestId, how);
    if (textOf === undefined) return;
    waiter.kills += 1;
    this.#fatal.set(textOf(waiter.row), waiter.kills);
  }

  #forgive(batch: readonly PendingRow<Row>[]): void {
    const { textOf } = this.#options;
    if (textOf !== undefined) for (const { row } of batch) this.#fatal.forget(textOf(row));
  }
}

function countRows(batch: readonly PendingRow<unknown>[]): number {
  let rows = 0;
  for (const waiter of batch) rows += waiter.rows;
  return rows;
}

function weigh(batch: readonly PendingRow<unknown>[]): number {
  let weight = 0;
  for (const waiter of batch) weight += waiter.weight;
  return weight;
}

function halve<T>(batch: readonly T[]): [readonly T[], readonly T[]] {
  const middle = Math.ceil(batch.length / 2);
  return [batch.slice(0, middle), batch.slice(middle)];
}

function endOf(error: unknown): RunEndedError | undefined {
  return error instanceof ServiceError && error.cause instanceof RunEndedError ? error.cause : undefined;
}

function toServiceError(error: unknown): ServiceError {
  return error instanceof ServiceError ? error : new ServiceError('run_failed', { cause: error });
}

function failAll(batch: readonly PendingRow<unknown>[], error: ServiceError): () => void {
  return () => {
    for (const waiter of batch) rejectRow(waiter, error);
  };
}
