import { RowError, ServiceError } from '../errors.js';
import type { Caller } from '../inference/batching/caller.js';
import type { Answer, AnswerValue, CheckedRequest } from '../models/task.js';
import type { AnswerCache, AnswerKey, NearCache } from './cache.js';
import { createTieredCache } from './tiered.js';

/** How an answer came about: remembered, shared with one that was under way, or computed. */
export type CacheResult = 'hit' | 'shared' | 'miss' | 'bypass';

export interface CachedAnswer {
  readonly answer: Answer;
  readonly result: CacheResult;
}

export interface CachedRequest {
  readonly identity: string;
  readonly request: CheckedRequest;
  readonly caller: Caller;
  /** The longest from the request's arrival to its answer, by its version; the caller's own limit may be lower. */
  readonly timeoutMs: number;
  readonly isShortRun: boolean;
  /** Whether the caller wants a new answer, which is remembered all the same. */
  readonly isBypassed: boolean;
}

/** Several requests of one caller, which are computed together. */
export interface CachedRequests extends Pick<CachedRequest, 'identity' | 'isShortRun' | 'isBypassed'> {
  readonly requests: readonly CheckedRequest[];
  /** Computes some of them. Throws `RowError` by its place among those. */
  readonly answerAll: (requests: readonly CheckedRequest[]) => Promise<readonly Answer[]>;
}

/**
 * Entries of one request that are asked for, or remembered, at the same time. 1,000 at once took a Redis more than its 50 ms
 * now and then, after which it counts as away: for limits as well.
 */
const mostAtOnce = 100;

/** What one caller's own circumstances make fail: another who asks the same may do better. */
const isPersonal = (error: unknown): boolean =>
  error instanceof ServiceError &&
  (error.code === 'deadline_exceeded' || error.code === 'client_closed' || error.code === 'overloaded');

/**
 * Answers from the cache, and remembers what had to be computed. Equal requests that come while the first of them is
 * being computed wait for that one run (single flight). A failure is shared by those who wait for it, unless it is the
 * first caller's own, and never remembered.
 */
export class CachedAnswers {
  readonly #near: NearCache | undefined;
  readonly #far: AnswerCache | undefined;
  readonly #cache: AnswerCache;
  readonly #cacheOfShortRuns: AnswerCache;
  readonly #flights = new Map<string, Promise<Answer>>();
  #turn: Promise<void> | undefined;

  /**
   * Remembers in this process, in what it shares with others, or in both, one in front of the other. Then answers that
   * cost less than asking for them elsewhere are remembered here alone.
   */
  constructor(...[near, far]: readonly [NearCache, AnswerCache?] | readonly [undefined, AnswerCache]) {
    this.#near = near;
    this.#far = far;
    if (near === undefined) this.#cache = far;
    else this.#cache = far === undefined ? near : createTieredCache(near, far);
    this.#cacheOfShortRuns = near ?? this.#cache;
  }

  /** Throws as `CheckedRequest.answer` does. */
  async answer(asked: CachedRequest): Promise<CachedAnswer> {
    const { identity, request, isBypassed, isShortRun } = asked;
    const cache = isShortRun ? this.#cacheOfShortRuns : this.#cache;
    const key = { identity, row: request.text() };
    if (isBypassed) return { answer: await compute(cache, key, asked), result: 'bypass' };
    let members = cache.get(key);
    if (members instanceof Promise) members = await members;
    if (members === undefined) return this.#share(cache, key, asked);
    await this.#endOfTurn();
    return { answer: remembered(members), result: 'hit' };
  }

  /**
   * The same for several requests: those that are not found are computed together. They wait for nobody else's run, and
   * nobody waits for theirs. Throws `RowError`, and as `Task.answerAll` does.
   */
  async answerAll(asked: CachedRequests): Promise<readonly CachedAnswer[]> {
    const { identity, requests, isBypassed, isShortRun } = asked;
    const cache = isShortRun ? this.#cacheOfShortRuns : this.#cache;
    const keys = requests.map((request): AnswerKey => {
      const row = request.text();
      return { identity, row, name: identity + row };
    });
    const found = isBypassed ? [] : await inParts(keys, (key) => cache.get(key));
    const missing: number[] = [];
    const answers: CachedAnswer[] = requests.map((_request, k) => {
      const members = found[k];
      if (members === undefined) missing.push(k);
      return { answer: members === undefined ? unanswered : remembered(members), result: 'hit' };
    });
    if (missing.length === 0) await this.#endOfTurn();
    const computed = missing.length === 0 ? [] : await computeAll(asked, missing);
    const result = isBypassed ? 'bypass' : 'miss';
    for (const [k, place] of missing.entries()) answers[place] = { answer: computed[k] as Answer, result };
    void inParts(missing, (place) => {
      const { answer } = answers[place] as CachedAnswer;
      return cache.set(keys[place] as AnswerKey, answer.members);
    });
    return answers;
  }

  /**
   * Answers that leave together, after the sockets have been read, cost much less than each at its own moment: with 64
   * connections 40 µs of processor time a request in place of 66, and 49 of a bare route.
   */
  #endOfTurn(): Promise<void> {
    this.#turn ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#turn = undefined;
        resolve();
      });
    });
    return this.#turn;
  }

  /** Forgets the answers of a version that this process has for itself, and gives how many there were. */
  async clearNear(identity: string): Promise<number> {
    return this.#near?.clear(identity) ?? 0;
  }

  /** Forgets those that all processes share. Throws `cache_unavailable` when not all are gone. */
  async clearShared(identity: string): Promise<number> {
    return this.#far?.clear(identity) ?? 0;
  }

  close(): void {
    this.#cache.close();
  }

  async #share(cache: AnswerCache, key: AnswerKey, asked: CachedRequest): Promise<CachedAnswer> {
    const name = key.identity + key.row;
    for (;;) {
      const flight = this.#flights.get(name);
      if (flight === undefined) break;
      try {
        const { members } = await withinLimit(flight, asked);
        return { answer: remembered(members), result: 'shared' };
      } catch (error) {
        if (!isPersonal(error) || isOver(asked)) throw error;
      }
    }
    // Over before anybody who waits for it is told: who then asks again begins anew.
    const flight = compute(cache, key, asked).finally(() => this.#flights.delete(name));
    this.#flights.set(name, flight);
    return { answer: await flight, result: 'miss' };
  }
}

/** Does something for each of many, some at a time where it takes time. In memory all is done at once. */
async function inParts<T, R>(all: readonly T[], each: (one: T) => R | Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let from = 0; from < all.length; from += mostAtOnce) {
    const asked = all.slice(from, from + mostAtOnce).map(each);
    const isHere = (it: readonly (R | Promise<R>)[]): it is readonly R[] =>
      !it.some((one) => one instanceof Promise);
    results.push(...(isHere(asked) ? asked : await Promise.all(asked)));
  }
  return results;
}

async function compute(cache: AnswerCache, key: AnswerKey, asked: CachedRequest): Promise<Answer> {
  const answer = await asked.request.answer(asked.caller);
  void cache.set(key, answer.members);
  return answer;
}

/** The answers to those requests that stand at these places. */
async function computeAll(
  { requests, answerAll }: CachedRequests,
  places: readonly number[],
): Promise<readonly Answer[]> {
  try {
    return await answerAll(places.map((place) => requests[place] as CheckedRequest));
  } catch (error) {
    if (!(error instanceof RowError)) throw error;
    throw new RowError(places[error.row] as number, error.failure);
  }
}

const remembered = (members: string): Answer => new Remembered(members);

/** An answer as it was written, once, by the task of this very version. */
class Remembered implements Answer {
  readonly members: string;

  constructor(members: string) {
    this.members = members;
  }

  get value(): AnswerValue {
    return JSON.parse(`{${this.members}}`) as AnswerValue;
  }
}

/** Stands where an answer is still to be computed. */
const unanswered = remembered('');

const deadlineOf = ({ caller, timeoutMs }: CachedRequest): number =>
  caller.arrivedAt + Math.min(timeoutMs, caller.timeoutMs ?? Number.POSITIVE_INFINITY);

const isOver = (asked: CachedRequest): boolean => performance.now() >= deadlineOf(asked);

/** Who waits for another's run waits no longer than for one's own. */
function withinLimit(flight: Promise<Answer>, asked: CachedRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const leftMs = deadlineOf(asked) - performance.now();
    const timer = setTimeout(
      // The run goes on: by then its answer may be remembered.
      () => {
        const detail = 'It was not answered in time.';
        reject(new ServiceError('deadline_exceeded', { detail, retryAfterSeconds: 1 }));
      },
      Math.max(0, leftMs),
    );
    flight.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
