import { ServiceError } from '../../errors.js';
import { type Executor, RunEndedError } from '../engine/executor.js';
import type { Tensors } from '../tensors/tensor.js';
import { FatalInputs } from './fatal-inputs.js';
import { deadlineExceeded, type PendingRow, rejectRow } from './pending-row.js';
import type { RunTimes } from './run-times.js';

export interface BatchRunnerOptions<Row> {
  readonly executor: Executor;
  /** Builds the run of some entries. If it throws, one of these entries is the cause. */
  readonly toRun: (rows: readonly Row[]) => { readonly feeds: Tensors; readonly fetches: readonly string[] };
  readonly times: RunTimes;
  readonly timeoutMs: number;
  /** Returns equal texts for equal entries. Without it, each request with a fatal input ends a process. */
  readonly textOf?: ((row: Row) => string) | undefined;
  /** Called after a run of one request alone ended the process. `how` is a signal or a reason. */
  readonly onFatal?: ((requestId: string | undefined, how: string) => void) | undefined;
}

/** If the search takes at most this long, each entry of a crashed run is tried alone, otherwise in halves. */
const maxSearchMs = 250;
/** An input that ended this many processes is not run again. */
const maxKills = 2;
/** Signals from an operator or from the kernel's memory killer: the input is not the cause. */
const externalSignals = new Set(['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP']);

/**
 * Runs batches, one at a time. A run that throws is split in halves until each failing entry is alone. If a run ended
 * its process, its entries are run again without those that ended it. So no entry fails because of its neighbours.
 */
export class BatchRunner<Row> {
  readonly #options: BatchRunnerOptions<Row>;
  readonly #fatal = new FatalInputs();
  #current: { readonly rows: number; readonly since: number } | undefined;

  constructor(options: BatchRunnerOptions<Row>) {
    this.#options = options;
  }

  get current(): { readonly rows: number; readonly since: number } | undefined {
    return this.#current;
  }

  hasEndedProcess(row: Row): boolean {
    const { textOf } = this.#options;
    return !this.#fatal.isEmpty && textOf !== undefined && this.#fatal.countOf(textOf(row)) > 0;
  }

  /** Counts the processes that equal entries ended. Throws `run_failed` if the entry must not be run again. */
  countKills(row: Row): number {
    const { textOf } = this.#options;
    if (this.#fatal.isEmpty || textOf === undefined) return 0;
    const kills = this.#fatal.countOf(textOf(row));
    if (kills < maxKills) return kills;
    throw new ServiceError('run_failed', {
      detail: 'This input has ended the process of the model before, and is not tried again.',
    });
  }

  /** Begins a run in this turn of the loop. Resolves with a function that settles its entries; never rejects. */
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
      const { feeds, fetches } = toRun(batch.map((entry) => entry.row));
      const outputs = await executor.run(feeds, fetches, limitMs);
      const endedAt = performance.now();
      const runMs = endedAt - started;
      times.observe({ rows: weight, ms: runMs });
      if (!this.#fatal.isEmpty) this.#forgive(batch);
      return () => {
        const batchRows = countRows(batch);
        let batchIndex = 0;
        for (const entry of batch) {
          clearTimeout(entry.timer);
          const queueMs = started - entry.since;
          const timing = { queueMs, runMs, endedAt, batchRows, batchIndex, ownRows: entry.rows };
          entry.resolve({ outputs, timing });
          batchIndex += entry.rows;
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
    // The executor's own errors are no entry's fault, so nothing is run again. Smaller runs may have smaller outputs.
    if (error instanceof ServiceError && error.code !== 'output_too_large') return failAll(batch, error);
    const [left, right] = halve(batch);
    (await this.run(left))();
    return this.run(right);
  }

  /** Runs the entries of a crashed run again, in smaller runs. A slow entry comes last, with all the time left. */
  async #rescue(batch: readonly PendingRow<Row>[]): Promise<() => void> {
    for (const entry of batch) entry.kills += 1;
    const isQuick = this.#options.times.expectMs(1) * weigh(batch) <= maxSearchMs;
    const late: PendingRow<Row>[] = [];
    for (const piece of isQuick ? batch.map((entry) => [entry]) : halve(batch)) {
      await this.#rerun(piece, late);
    }
    for (const entry of late) await this.#rerun([entry]);
    return () => undefined;
  }

  async #rerun(piece: readonly PendingRow<Row>[], late?: PendingRow<Row>[]): Promise<void> {
    const now = performance.now();
    const waiting = piece.filter(({ deadline, connection }) => deadline > now && !connection?.destroyed);
    for (const entry of piece) if (!waiting.includes(entry)) rejectRow(entry, deadlineExceeded());
    const [only] = waiting;
    if (only === undefined) return;
    const limitMs = late === undefined ? undefined : this.#shortLimitMs(waiting);
    const outcome = await this.#attempt(waiting, limitMs);
    if (typeof outcome === 'function') outcome();
    else if (waiting.length === 1 && limitMs !== undefined && endOf(outcome.error)?.isLate) late?.push(only);
    else (await this.#settleFailure(waiting, outcome.error))();
  }

  /** A lower limit, so that an endless entry leaves time for the others. Undefined if the usual limit is lower. */
  #shortLimitMs(batch: readonly PendingRow<Row>[]): number | undefined {
    const { times, timeoutMs } = this.#options;
    const rows = weigh(batch);
    const limitMs = Math.max(timeoutMs / 4, 4 * (times.expectMs(rows) + times.spreadMs(rows)));
    return limitMs < timeoutMs ? limitMs : undefined;
  }

  #blame(entry: PendingRow<Row>, how: string): void {
    const { onFatal, textOf } = this.#options;
    if (externalSignals.has(how)) return;
    onFatal?.(entry.requestId, how);
    if (textOf === undefined) return;
    entry.kills += 1;
    this.#fatal.set(textOf(entry.row), entry.kills);
  }

  #forgive(batch: readonly PendingRow<Row>[]): void {
    const { textOf } = this.#options;
    if (textOf !== undefined) for (const { row } of batch) this.#fatal.forget(textOf(row));
  }
}

function countRows(batch: readonly PendingRow<unknown>[]): number {
  let rows = 0;
  for (const entry of batch) rows += entry.rows;
  return rows;
}

function weigh(batch: readonly PendingRow<unknown>[]): number {
  let weight = 0;
  for (const entry of batch) weight += entry.weight;
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
    for (const entry of batch) rejectRow(entry, error);
  };
}
