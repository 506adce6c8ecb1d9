import { RowError } from '../errors.js';
import type { Answer, CheckedRequest } from '../models/tasks/task.js';
import type { AnswerCache, AnswerKey } from './answer-cache.js';

/** 1,000 entries at once sometimes took Redis more than its 50 ms. It then counts as away, for limits as well. */
const maxAtOnce = 100;

export function lookUpAll(
  cache: AnswerCache,
  keys: readonly (AnswerKey | undefined)[],
): Promise<readonly (string | undefined)[]> {
  return inParts(keys, (key) => (key === undefined ? undefined : cache.get(key)));
}

/** Never rejects. */
export async function keepAll(
  cache: AnswerCache,
  keys: readonly AnswerKey[],
  answers: readonly Answer[],
): Promise<void> {
  await inParts(keys, (key, k) => cache.set(key, (answers[k] as Answer).fieldsJson));
}

/** Calls `each` for all items, in parts of `maxAtOnce`. Waits after a part only if one of its calls is async. */
async function inParts<T, R>(
  all: readonly T[],
  each: (one: T, place: number) => R | Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  for (let from = 0; from < all.length; from += maxAtOnce) {
    const part = all.slice(from, from + maxAtOnce).map((one, k) => each(one, from + k));
    const isSettled = (it: readonly (R | Promise<R>)[]): it is readonly R[] =>
      !it.some((one) => one instanceof Promise);
    results.push(...(isSettled(part) ? part : await Promise.all(part)));
  }
  return results;
}

/** Computes the requests at `places`. The index of a `RowError` becomes the one among all requests. */
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
