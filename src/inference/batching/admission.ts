import { ServiceError } from '../../errors.js';
import type { CallContext } from './call-context.js';
import { tooShort } from './pending-row.js';
import type { RunTimes } from './run-times.js';

/**
 * What is expected to take so long may take a quarter more: when the machine gets busy all runs of a queue get slower
 * together, and whoever was let in before that must still be answered in time. A queue that is never empty loses nothing
 * by being shorter.
 */
const caution = 1.25;

/** What stands before a request that comes now. */
export interface Backlog {
  readonly queuedRows: number;
  /** What they cost, in rows as they were measured. */
  readonly queuedWeight: number;
  /** The run under way, and since when by `performance.now()`. */
  readonly run: { readonly rows: number; readonly since: number } | undefined;
}

export interface AdmissionRules {
  readonly times: RunTimes;
  readonly maxBatchRows: number;
  readonly maxQueueRows: number;
  /** The longest run. */
  readonly timeoutMs: number;
}

/**
 * Refuses a request of `ownRows` rows at once if it cannot be answered before its deadline. The estimate adds up the rows
 * that wait and the measured time of a run.
 * Throws `overloaded`, with the time after which the same request would be admitted; `deadline_exceeded` when the
 * request's limit is shorter than any run.
 */
export function admit(
  { deadline, limitMs, isLimitOfClient }: CallContext,
  ownRows: number,
  backlog: Backlog,
  rules: AdmissionRules,
): void {
  const { maxBatchRows, maxQueueRows, times } = rules;
  const { queuedRows, queuedWeight } = backlog;
  if (limitMs < times.fastestMs) {
    const detail = `No run of this model has taken less than ${times.fastestMs.toPrecision(2)} ms.`;
    throw new ServiceError('deadline_exceeded', { detail });
  }
  const now = performance.now();
  // With nothing before it a row is let in whatever was measured: it may be faster, and measures anew.
  const isFirst = queuedRows === 0 && backlog.run === undefined;
  const rows = (queuedWeight % maxBatchRows) + ownRows;
  const runs = Math.ceil(rows / maxBatchRows);
  const lastRows = Math.min(rows, maxBatchRows);
  const waitMs = isFirst
    ? 0
    : caution * (waitBefore(backlog, now, rules) + runs * times.expectMs(lastRows)) +
      times.spreadMs(lastRows);
  const lateMs = now + waitMs - deadline;
  // Nothing stands before it, and the limit that is over is the caller's own: to come again would not help.
  if (isFirst && lateMs > 0 && isLimitOfClient) throw tooShort();
  // All rows or none: requests of many rows would else keep the queue over its limit, and single rows out of it.
  const hasRoom = queuedRows === 0 || queuedRows + ownRows <= maxQueueRows;
  if (hasRoom && lateMs <= 0) return;
  throw new ServiceError('overloaded', {
    detail: hasRoom ? 'It could not be answered in time.' : 'The queue of this model is full.',
    retryAfterSeconds: Math.ceil(Math.max(lateMs, 1) / 1_000),
  });
}

/** How long a row waits that comes now, until the batch begins that has room for it. */
function waitBefore({ queuedWeight, run }: Backlog, now: number, rules: AdmissionRules): number {
  const { maxBatchRows, times, timeoutMs } = rules;
  const batches = Math.floor(queuedWeight / maxBatchRows);
  const waitMs = batches * times.expectMs(maxBatchRows);
  if (run === undefined) return waitMs;
  const elapsedMs = now - run.since;
  const leftMs = times.expectMs(run.rows) - elapsedMs;
  // A run that is late by so much may well be late by as much again, but is ended at its limit.
  return waitMs + (leftMs >= 0 ? leftMs : Math.min(-leftMs, Math.max(0, timeoutMs - elapsedMs)));
}
