import { asServiceError, ServiceError } from '../errors.js';
import type { CallContext } from '../inference/batching/call-context.js';
import type { LoadedVersion } from '../models/registry/loaded-version.js';
import type { Answer, CheckedRequest } from '../models/tasks/task.js';

/** A row of a batch: its body, or the error of a row that could not be parsed. */
export type BatchRow = { readonly body: unknown } | { readonly error: ServiceError };

/** A row that has passed the check of a version, or the reason why it has not. */
export type CheckedBatchRow = CheckedRequest | ServiceError;

/** Checks each row by itself. */
export function checkRows({ task }: LoadedVersion, rows: readonly BatchRow[]): readonly CheckedBatchRow[] {
  return rows.map((row) => {
    if ('error' in row) return row.error;
    try {
      return task.check(row.body);
    } catch (error) {
      return asServiceError(error);
    }
  });
}

/** Answers each row by itself: its answer or its error, in order. Throws as `Task.answerEach` does. */
export async function answerRows(
  { task }: LoadedVersion,
  checked: readonly CheckedBatchRow[],
  call: CallContext,
): Promise<readonly (Answer | ServiceError)[]> {
  const requests = checked.filter((it): it is CheckedRequest => !(it instanceof ServiceError));
  const answers = requests.length === 0 ? [] : await task.answerEach(requests, call);
  let next = 0;
  return checked.map((it) => (it instanceof ServiceError ? it : (answers[next++] as Answer | ServiceError)));
}
