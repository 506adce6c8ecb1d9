import { ServiceError } from '../../errors.js';
import type { CallContext } from './call-context.js';
import { tooShort } from './pending-row.js';
import type { RunTimes } from './run-times.js';

/** On a busy machine all queued runs slow down, and the requests already admitted must still meet their deadlines. */
const safetyFactor = 1.25;

export interface Backlog {
  readonly queuedRows: number;
  /** Cost of the queued rows, in rows of the measured size. */
  readonly queuedWeight: number;
  /** The run in progress, with its start by `performance.now()`. */
  readonly run: { readonly rows: number; readonly since: number } | undefined;
}

export interface AdmissionRules {
  readonly times: RunTimes;
  readonly maxBatchRows: number;
  readonly maxQueueRows: number;
  readonly timeoutMs: number;
}

/** Throws `overloaded` if a new request cannot meet its deadline, `deadline_exceeded` if its limit is below any run. */
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
  // An empty queue admits any row: its run may be faster than the estimate, and renews the measurement.
  const isFirst = queuedRows === 0 && backlog.run === undefined;
  const rows = (queuedWeight % maxBatchRows) + ownRows;
  const runs = Math.ceil(rows / maxBatchRows);
  const lastRows = Math.min(rows, maxBatchRows);
  const waitMs = isFirst
    ? 0
    : safetyFactor * (waitBefore(backlog, now, rules) + runs * times.expectMs(lastRows)) +
      times.spreadMs(lastRows);
  const lateMs = now + waitMs - deadline;
  // The queue is empty and the client set this limit itself: a retry would not help.
  if (isFirst && lateMs > 0 && isLimitOfClient) throw tooShort();
  // All rows of a request or none: large requests would otherwise fill the queue and keep single rows out.
  const hasRoom = queuedRows === 0 || queuedRows + ownRows <= maxQueueRows;
  if (hasRoom && lateMs <= 0) return;
  throw new ServiceError('overloaded', {
    detail: hasRoom ? 'It could not be answered in time.' : 'The queue of this model is full.',
    retryAfterSeconds: Math.ceil(Math.max(lateMs, 1) / 1_000),
  });
}

/** How long a new row waits until a batch with room for it begins. */
function waitBefore({ queuedWeight, run }: Backlog, now: number, rules: AdmissionRules): number {
  const { maxBatchRows, times, timeoutMs } = rules;
  const batches = Math.floor(queuedWeight / maxBatchRows);
  const waitMs = batches * times.expectMs(maxBatchRows);
  if (run === undefined) return waitMs;
  const elapsedMs = now - run.since;
  const leftMs = times.expectMs(run.rows) - elapsedMs;
  // A late run may exceed its estimate by as much again, up to its limit.
  return waitMs + (leftMs >= 0 ? leftMs : Math.min(-leftMs, Math.max(0, timeoutMs - elapsedMs)));
}
