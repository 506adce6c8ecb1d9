import { RowError, ServiceError } from '../errors.js';
import type { CallContext } from '../inference/batching/call-context.js';
import type { Answer, AnswerValue, CheckedRequest } from '../models/task.js';
import type { AnswerCache, AnswerKey, NearCache } from './cache.js';
import { createTieredCache } from './tiered.js';

/** How an answer came about: remembered, shared with one that was under way, or computed. */
export type CacheResult = 'hit' | 'shared' | 'miss' | 'bypass';

export interface CachedAnswer {
  readonly answer: Answer;
  readonly result: CacheResult;
}

/** How the cache is used for a request. */
export interface Caching {
  /** Of the version that answers. */
  readonly identity: string;
  /** Whether a run costs less than a question to the shared cache. */
  readonly isShortRun: boolean;
  /** Whether the client wants a new answer, which is remembered all the same. */
  readonly isBypassed: boolean;
}

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
  async answer(request: CheckedRequest, call: CallContext, caching: Caching): Promise<CachedAnswer> {
    const { identity, isBypassed, isShortRun } = caching;
    const cache = isShortRun ? this.#cacheOfShortRuns : this.#cache;
    const key = { identity, row: request.text() };
    if (isBypassed) return { answer: await compute(cache, key, request, call), result: 'bypass' };
    let members = cache.get(key);
    if (members instanceof Promise) members = await members;
    if (members === undefined) return this.#share(cache, key, request, call);
    await this.#endOfTurn();
    return { answer: remembered(members), result: 'hit' };
  }

  /**
   * The same for several requests: `compute` gets those that are not found, and throws `RowError` by a request's place
   * among those. They wait for nobody else's run, and nobody waits for theirs. Throws `RowError` by a request's place
   * among all, and as `compute` does.
   */
  async answerAll(
    requests: readonly CheckedRequest[],
    compute: (missing: readonly CheckedRequest[]) => Promise<readonly Answer[]>,
    { identity, isBypassed, isShortRun }: Caching,
  ): Promise<readonly CachedAnswer[]> {
    const cache = isShortRun ? this.#cacheOfShortRuns : this.#cache;
    const keys = requests.map((request): AnswerKey => {
      const row = request.text();
      return { identity, row, name: identity + row };
    });
    let found: readonly (string | undefined)[] = [];
    if (!isBypassed) {
      const looked = keys.map((key) => cache.get(key));
      // In memory all are there at once.
      const isHere = (it: readonly unknown[]): it is readonly (string | undefined)[] =>
        !it.some((members) => members instanceof Promise);
      found = isHere(looked) ? looked : await Promise.all(looked);
    }
    const missing: number[] = [];
    const answers: CachedAnswer[] = requests.map((_request, k) => {
      const members = found[k];
      if (members === undefined) missing.push(k);
      return { answer: members === undefined ? unanswered : remembered(members), result: 'hit' };
    });
    if (missing.length === 0) await this.#endOfTurn();
    const computed = missing.length === 0 ? [] : await computeAt(missing, requests, compute);
    const result = isBypassed ? 'bypass' : 'miss';
    for (const [k, place] of missing.entries()) {
      const answer = computed[k] as Answer;
      cache.set(keys[place] as AnswerKey, answer.members);
      answers[place] = { answer, result };
    }
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

  async #share(
    cache: AnswerCache,
    key: AnswerKey,
    request: CheckedRequest,
    call: CallContext,
  ): Promise<CachedAnswer> {
    const name = key.identity + key.row;
    for (;;) {
      const flight = this.#flights.get(name);
      if (flight === undefined) break;
      try {
        const { members } = await withinLimit(flight, call);
        return { answer: remembered(members), result: 'shared' };
      } catch (error) {
        if (!isPersonal(error) || isOver(call)) throw error;
      }
    }
    // Over before anybody who waits for it is told: who then asks again begins anew.
    const flight = compute(cache, key, request, call).finally(() => this.#flights.delete(name));
    this.#flights.set(name, flight);
    return { answer: await flight, result: 'miss' };
  }
}

async function compute(
  cache: AnswerCache,
  key: AnswerKey,
  request: CheckedRequest,
  call: CallContext,
): Promise<Answer> {
  const answer = await request.answer(call);
  cache.set(key, answer.members);
  return answer;
}

/** The answers to those requests that stand at these places. */
async function computeAt(
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

const isOver = ({ deadline }: CallContext): boolean => performance.now() >= deadline;

/** A request that waits for another's run has the deadline of its own. */
function withinLimit(flight: Promise<Answer>, { deadline }: CallContext): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const leftMs = deadline - performance.now();
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
