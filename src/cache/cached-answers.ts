import type { CallContext } from '../inference/batching/call-context.js';
import type { Answer, CheckedRequest } from '../models/tasks/task.js';
import type { AnswerCache, AnswerKey, LocalCache } from './answer-cache.js';
import { CacheBenefit } from './cache-benefit.js';
import { computeAt, keepAll, lookUpAll } from './cached-rows.js';
import { RememberedAnswer } from './remembered-answer.js';
import { SingleFlight } from './single-flight.js';
import { createTieredCache } from './tiered-cache.js';

/**
 * How an answer came about: remembered, shared with one that was under way, or computed; `aside` was computed without
 * being looked for, since the cache does not pay for this version.
 */
export type CacheResult = 'hit' | 'shared' | 'miss' | 'bypass' | 'aside';

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
  /** Whether the version's answers are looked up even where that does not pay. */
  readonly isForced: boolean;
}

/**
 * Answers from the cache, and remembers what had to be computed, which a failure never is. Equal requests share one run
 * (`SingleFlight`). A version for which the cache does not pay is computed without it (`CacheBenefit`).
 */
export class CachedAnswers {
  readonly #near: LocalCache | undefined;
  readonly #far: AnswerCache | undefined;
  readonly #cache: AnswerCache;
  readonly #cacheOfShortRuns: AnswerCache;
  readonly #flights = new SingleFlight();
  /** By identity: small, and one for each version that was ever asked. */
  readonly #benefits = new Map<string, CacheBenefit>();
  #turn: Promise<void> | undefined;

  /**
   * Remembers in this process, in what it shares with others, or in both, one in front of the other. Then answers that
   * cost less than asking for them elsewhere are remembered here alone.
   */
  constructor(...[near, far]: readonly [LocalCache, AnswerCache?] | readonly [undefined, AnswerCache]) {
    this.#near = near;
    this.#far = far;
    if (near === undefined) this.#cache = far;
    else this.#cache = far === undefined ? near : createTieredCache(near, far);
    this.#cacheOfShortRuns = near ?? this.#cache;
  }

  /** Throws as `CheckedRequest.answer` does. */
  async answer(request: CheckedRequest, call: CallContext, caching: Caching): Promise<CachedAnswer> {
    const { identity, isBypassed } = caching;
    const benefit = this.#benefitOf(caching);
    const isSampled = benefit?.isInSample(request.hash()) === true;
    if (benefit?.state === 'aside' && !isSampled && !isBypassed) {
      return { answer: await request.answer(call), result: 'aside' };
    }
    const cache = this.#cacheFor(caching);
    const started = isSampled ? performance.now() : 0;
    const text = request.cacheKey();
    const key = { identity, request: text, name: identity + text };
    let found = isBypassed ? undefined : cache.get(key);
    const lookupMs = isSampled ? performance.now() - started : 0;
    if (found instanceof Promise) found = await found;
    if (found !== undefined) {
      if (isSampled) benefit?.observeLookup(lookupMs, true);
      await this.#endOfTurn();
      return { answer: new RememberedAnswer(found), result: 'hit' };
    }
    // Several who waited for one that failed go on one after the other: the first of them leads.
    while (!isBypassed && this.#flights.has(key.name)) {
      const shared = await this.#flights.follow(key.name, call);
      if (shared === undefined) continue;
      if (isSampled) benefit?.observeLookup(lookupMs, true);
      return { answer: new RememberedAnswer(shared.fieldsJson), result: 'shared' };
    }
    const answer = await (isBypassed
      ? request.answer(call)
      : this.#flights.lead(key.name, () => request.answer(call)));
    const keepStarted = isSampled ? performance.now() : 0;
    void cache.set(key, answer.fieldsJson);
    if (isSampled && answer.timing !== undefined) {
      benefit?.observeRun(answer.timing, performance.now() - keepStarted);
      if (!isBypassed) benefit?.observeLookup(lookupMs, false);
    }
    return { answer, result: isBypassed ? 'bypass' : 'miss' };
  }

  /**
   * The same for several requests: `compute` gets those that are not found, and throws `RowError` by a request's place
   * among those. They wait for nobody else's run, and nobody waits for theirs. Throws `RowError` by a request's place
   * among all, and as `compute` does.
   */
  async answerAll(
    requests: readonly CheckedRequest[],
    compute: (missing: readonly CheckedRequest[]) => Promise<readonly Answer[]>,
    caching: Caching,
  ): Promise<readonly CachedAnswer[]> {
    const { identity, isBypassed } = caching;
    const cache = this.#cacheFor(caching);
    const benefit = this.#benefitOf(caching);
    const isAside = benefit?.state === 'aside' && !isBypassed;
    const sampled = requests.map((request) => benefit?.isInSample(request.hash()) === true);
    const keys = requests.map((request, k): AnswerKey | undefined => {
      if (isAside && !sampled[k]) return undefined;
      const row = request.cacheKey();
      return { identity, request: row, name: identity + row };
    });
    const found = isBypassed ? [] : await lookUpAll(cache, keys);
    const missing: number[] = [];
    const answers: CachedAnswer[] = requests.map((_request, k) => {
      const fieldsJson = found[k];
      if (fieldsJson === undefined) missing.push(k);
      return {
        answer: fieldsJson === undefined ? unanswered : new RememberedAnswer(fieldsJson),
        result: 'hit',
      };
    });
    if (!isBypassed) {
      for (const [k, isSampled] of sampled.entries()) {
        if (isSampled) benefit?.observeLookup(Number.NaN, found[k] !== undefined);
      }
    }
    if (missing.length === 0) {
      await this.#endOfTurn();
      return answers;
    }
    const computed = await computeAt(missing, requests, compute);
    const kept: { readonly keys: AnswerKey[]; readonly answers: Answer[] } = { keys: [], answers: [] };
    for (const [k, place] of missing.entries()) {
      const answer = computed[k] as Answer;
      const key = keys[place];
      if (key !== undefined) {
        kept.keys.push(key);
        kept.answers.push(answer);
      }
      if (sampled[place] && answer.timing !== undefined) benefit?.observeRun(answer.timing, Number.NaN);
      answers[place] = { answer, result: isBypassed ? 'bypass' : key === undefined ? 'aside' : 'miss' };
    }
    void keepAll(cache, kept.keys, kept.answers);
    return answers;
  }

  /** Whether the answers of a version are looked up at the moment, and what that rests on. */
  stateOf(identity: string): Pick<CacheBenefit, 'state' | 'reason'> | undefined {
    return this.#benefits.get(identity);
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

  #cacheFor({ isShortRun }: Caching): AnswerCache {
    return isShortRun ? this.#cacheOfShortRuns : this.#cache;
  }

  #benefitOf({ identity, isForced, isShortRun }: Caching): CacheBenefit | undefined {
    if (isForced) return undefined;
    let benefit = this.#benefits.get(identity);
    if (benefit === undefined) {
      const isShared = this.#far !== undefined && !(isShortRun && this.#near !== undefined);
      benefit = new CacheBenefit(isShared);
      this.#benefits.set(identity, benefit);
    }
    return benefit;
  }
}

/** Stands where an answer is still to be computed. */
const unanswered = new RememberedAnswer('');
