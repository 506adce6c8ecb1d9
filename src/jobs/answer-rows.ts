import { asServiceError, ServiceError } from '../errors.js';
import type { CallContext } from '../inference/batching/call-context.js';
import type { LoadedVersion } from '../models/registry/loaded-version.js';
import type { Answer, CheckedRequest } from '../models/tasks/task.js';

/** A row of a batch: its body, or the error of a row that could not be parsed. */
export type BatchRow = { readonly body: unknown } | { readonly error: ServiceError };

/** Checks rows and answers each by itself: the answer or the error of each row, in order. Throws as `Task.answerEach` does. */
export async function answerRows(
  { task }: LoadedVersion,
  rows: readonly BatchRow[],
  call: CallContext,
): Promise<readonly (Answer | ServiceError)[]> {
  const checked = rows.map((row): CheckedRequest | ServiceError => {
    if ('error' in row) return row.error;
    try {
      return task.check(row.body);
    } catch (error) {
      return asServiceError(error);
    }
  });
  const requests = checked.filter((it): it is CheckedRequest => !(it instanceof ServiceError));
  const answers = requests.length === 0 ? [] : await task.answerEach(requests, call);
  let next = 0;
  return checked.map((it) => (it instanceof ServiceError ? it : (answers[next++] as Answer | ServiceError)));
}
