import { ServiceError } from '../../errors.js';
import type { Tensors } from '../tensors/tensor.js';
import type { CallContext } from './call-context.js';

/** How an answer was computed. */
export interface RunTiming {
  /** From the request's arrival at the queue to the start of its run. */
  readonly queueMs: number;
  readonly runMs: number;
  /** Rows of the run, and the place of the answer's first row among them. */
  readonly batchRows: number;
  readonly batchIndex: number;
  /** Rows of the run that are this answer's own. */
  readonly ownRows: number;
}

/** The outputs of a run, in which an entry's answer begins at row `timing.batchIndex`. */
export interface RowOutput {
  readonly outputs: Tensors;
  readonly timing: RunTiming;
}

/** One entry in a batcher's queue, and the promise that it settles. Moments are by `performance.now()`. */
export interface PendingRow<Row> {
  readonly row: Row;
  /** Rows of the run that the entry takes: 1 for a row of features. */
  readonly rows: number;
  /** What the entry costs, in rows as they were measured: more where its rows are larger than those. */
  readonly weight: number;
  /** Entries share a run only with those of an equal group. */
  readonly group: string;
  readonly since: number;
  readonly deadline: number;
  readonly connection: CallContext['connection'];
  readonly requestId: string | undefined;
  readonly resolve: (share: RowOutput) => void;
  readonly reject: (error: unknown) => void;
  /** Where runs are not on this thread: what answers at the deadline, whatever the run does. */
  timer: NodeJS.Timeout | undefined;
  /** Processes that ended in a run with this entry, or with an equal one alone. From the first on it runs alone. */
  kills: number;
}

export function rejectRow(
  { timer, reject }: Pick<PendingRow<unknown>, 'timer' | 'reject'>,
  error: ServiceError,
): void {
  clearTimeout(timer);
  reject(error);
}

/** The time of a request was over while it waited for others: later it may be in time. */
export function deadlineExceeded(): ServiceError {
  return new ServiceError('deadline_exceeded', { detail: expiredDetail, retryAfterSeconds: 1 });
}

/** The time of a request is too short for its own run: later it is as well. */
export function tooShort(): ServiceError {
  return new ServiceError('deadline_exceeded', { detail: expiredDetail });
}

const expiredDetail = 'Its time was over before it was answered.';
