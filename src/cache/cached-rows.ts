import { RowError } from '../errors.js';
import type { Answer, CheckedRequest } from '../models/tasks/task.js';
import type { AnswerCache, AnswerKey } from './answer-cache.js';

/** What is found of some keys; at once where all are in memory. */
export async function lookUpAll(
  cache: AnswerCache,
  keys: readonly (AnswerKey | undefined)[],
): Promise<readonly (string | undefined)[]> {
  const looked = keys.map((key) => (key === undefined ? undefined : cache.get(key)));
  const isHere = (it: readonly unknown[]): it is readonly (string | undefined)[] =>
    !it.some((fieldsJson) => fieldsJson instanceof Promise);
  return isHere(looked) ? looked : Promise.all(looked);
}

/** The answers to those requests that stand at these places. Throws `RowError` by the place among all, for one by the place among those. */
export async function computeAt(
  places: readonly number[],
  requests: readonly CheckedRequest[],
  compute: (missing: readonly CheckedRequest[]) => Promise<readonly Answer[]>,
): Promise<readonly Answer[]> {
  try {
    return await compute(places.map((place) => requests[place] as CheckedRequest));
  } catch (error) {
    if (!(error instanceof RowError)) throw error;
    throw new RowError(places[error.row] as number, error.failure);
  }
}
