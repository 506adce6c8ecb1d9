import { ServiceError } from '../../errors.js';
import type { Tensors } from '../tensors/tensor.js';
import type { CallContext } from './call-context.js';

export interface RunTiming {
  /** From the entry's arrival in the queue to the start of its run. */
  readonly queueMs: number;
  readonly runMs: number;
  /** The end of the run, by `performance.now()`. */
  readonly endedAt: number;
  /** Rows of the run, of which the answer has `ownRows`, beginning at `batchIndex`. */
  readonly batchRows: number;
  readonly batchIndex: number;
  readonly ownRows: number;
  /** Of an answer that several runs gave: each of them. `runMs` is their sum then, and the rest is of the first one. */
  readonly runs?: readonly RunTiming[];
}

/** The outputs of a whole run. The entry's answer begins at row `timing.batchIndex`. */
export interface RowOutput {
  readonly outputs: Tensors;
  readonly timing: RunTiming;
}

/** One entry in a batcher's queue, and the promise that it settles. Times are by `performance.now()`. */
export interface PendingRow<Row> {
  readonly row: Row;
  /** Rows that the entry takes in a run: 1 for a row of features. */
  readonly rows: number;
  /** Cost of the entry, in rows of the measured size: larger rows cost more. */
  readonly weight: number;
  /** Only entries of one group share a run. */
  readonly group: string;
  readonly since: number;
  readonly deadline: number;
  readonly connection: CallContext['connection'];
  readonly requestId: string | undefined;
  readonly resolve: (share: RowOutput) => void;
  readonly reject: (error: unknown) => void;
  /** With an isolated executor: rejects the entry at its deadline, even if the run goes on. */
  timer: NodeJS.Timeout | undefined;
  /** Processes that ended in a run of this entry, or of an equal entry alone. From 1 on, the entry runs alone. */
  kills: number;
}

export function rejectRow(
  { timer, reject }: Pick<PendingRow<unknown>, 'timer' | 'reject'>,
  error: ServiceError,
): void {
  clearTimeout(timer);
  reject(error);
}

/** The deadline passed while the request waited for others: a retry may succeed. */
export function deadlineExceeded(): ServiceError {
  return new ServiceError('deadline_exceeded', { detail: expiredDetail, retryAfterSeconds: 1 });
}

/** The limit of the request is too short for its own run: a retry would fail as well. */
export function tooShort(): ServiceError {
  return new ServiceError('deadline_exceeded', { detail: expiredDetail });
}

const expiredDetail = 'Its time was over before it was answered.';
