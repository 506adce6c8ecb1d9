import { ServiceError } from '../../errors.js';
import type { Tensors } from '../tensor.js';
import type { Caller } from './caller.js';

/** Where a row's answer stands: row `index` of the outputs of a run that it shared with `rows - 1` others. */
export interface RunShare {
  readonly outputs: Tensors;
  readonly index: number;
  readonly rows: number;
  readonly queueMs: number;
  readonly runMs: number;
}

/** One row in a batcher's queue, and who is told of it. Moments are by `performance.now()`. */
export interface Waiter<Row> {
  readonly row: Row;
  readonly since: number;
  readonly deadline: number;
  readonly connection: Caller['connection'];
  readonly resolve: (share: RunShare) => void;
  readonly reject: (error: unknown) => void;
  /** Where runs are not on this thread: what answers at the deadline, whatever the run does. */
  timer: NodeJS.Timeout | undefined;
}

export function fail(
  { timer, reject }: Pick<Waiter<unknown>, 'timer' | 'reject'>,
  error: ServiceError,
): void {
  clearTimeout(timer);
  reject(error);
}

export function expired(): ServiceError {
  return new ServiceError('deadline_exceeded', { detail: 'Its time was over before it was answered.' });
}
