import { RowError } from '../errors.js';
import type { Answer, CheckedRequest } from '../models/tasks/task.js';
import type { AnswerCache, AnswerKey } from './answer-cache.js';

/**
 * Entries of one request that are asked for, or remembered, at the same time. 1,000 at once took a Redis more than its 50 ms
 * now and then, after which it counts as away: for limits as well.
 */
const maxAtOnce = 100;

/** What is found of some keys; at once where all are in memory. */
export function lookUpAll(
  cache: AnswerCache,
  keys: readonly (AnswerKey | undefined)[],
): Promise<readonly (string | undefined)[]> {
  return inParts(keys, (key) => (key === undefined ? undefined : cache.get(key)));
}

/** Remembers answers, each under the key at its own place. Never rejects. */
export async function keepAll(
  cache: AnswerCache,
  keys: readonly AnswerKey[],
  answers: readonly Answer[],
): Promise<void> {
  await inParts(keys, (key, k) => cache.set(key, (answers[k] as Answer).fieldsJson));
}

/** Does something for each of many, some at a time where it takes time. In memory all is done at once. */
async function inParts<T, R>(
  all: readonly T[],
  each: (one: T, place: number) => R | Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  for (let from = 0; from < all.length; from += maxAtOnce) {
    const asked = all.slice(from, from + maxAtOnce).map((one, k) => each(one, from + k));
    const isHere = (it: readonly (R | Promise<R>)[]): it is readonly R[] =>
      !it.some((one) => one instanceof Promise);
    results.push(...(isHere(asked) ? asked : await Promise.all(asked)));
  }
  return results;
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
