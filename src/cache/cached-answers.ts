import type { CallContext } from '../inference/batching/call-context.js';
import type { Answer, CheckedRequest, Scalar } from '../models/tasks/task.js';
import type { AnswerCache, AnswerKey, LocalCache } from './answer-cache.js';
import { CacheBenefit } from './cache-benefit.js';
import { computeAt, keepAll, lookUpAll } from './cached-rows.js';
import { RememberedAnswer } from './remembered-answer.js';
import { SingleFlight } from './single-flight.js';
import { createTieredCache } from './tiered-cache.js';

/** `shared`: from the run of an equal request. `aside`: computed without a lookup, since the cache does not pay. */
export type CacheResult = 'hit' | 'shared' | 'miss' | 'bypass' | 'aside';

export interface CachedAnswer {
  readonly answer: Answer;
  readonly result: CacheResult;
}

export interface Caching {
  readonly identity: string;
  /** A run costs less than a lookup in the shared cache. */
  readonly isShortRun: boolean;
  /** The client wants a new answer. It is stored nevertheless. */
  readonly isBypassed: boolean;
  readonly isForced: boolean;
  /** The classes of the version, in order; undefined if they are not known. */
  readonly classes?: readonly Scalar[] | undefined;
}

/** Stores answers but never failures. Equal requests share one run. Versions that gain nothing do not use the cache. */
export class CachedAnswers {
  readonly #local: LocalCache | undefined;
  readonly #shared: AnswerCache | undefined;
  readonly #cache: AnswerCache;
  readonly #cacheOfShortRuns: AnswerCache;
  readonly #flights = new SingleFlight();
  /** By identity; entries of removed versions stay. */
  readonly #benefits = new Map<string, CacheBenefit>();
  #turn: Promise<void> | undefined;

  /** With both caches, answers of short runs are stored in the local one only. */
  constructor(...[local, shared]: readonly [LocalCache, AnswerCache?] | readonly [undefined, AnswerCache]) {
    this.#local = local;
    this.#shared = shared;
    if (local === undefined) this.#cache = shared;
    else this.#cache = shared === undefined ? local : createTieredCache(local, shared);
    this.#cacheOfShortRuns = local ?? this.#cache;
  }

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
      return { answer: new RememberedAnswer(found, caching.classes), result: 'hit' };
    }
    // After the leader has failed, the first of the waiting requests leads the next run.
    while (!isBypassed && this.#flights.has(key.name)) {
      const shared = await this.#flights.follow(key.name, call);
      if (shared === undefined) continue;
      if (isSampled) benefit?.observeLookup(lookupMs, true);
      return { answer: new RememberedAnswer(shared.fieldsJson, caching.classes), result: 'shared' };
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

  /** Without single flight. `compute` gets the misses; its `RowError` is thrown again with the index in `requests`. */
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
        answer: fieldsJson === undefined ? unanswered : new RememberedAnswer(fieldsJson, caching.classes),
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

  stateOf(identity: string): Pick<CacheBenefit, 'state' | 'reason'> | undefined {
    return this.#benefits.get(identity);
  }

  // Replies sent together, after all sockets were read, cost less CPU than one by one: with 64 connections 40 µs a
  // request instead of 66 (a bare route: 49).
  #endOfTurn(): Promise<void> {
    this.#turn ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#turn = undefined;
        resolve();
      });
    });
    return this.#turn;
  }

  async clearLocal(identity: string): Promise<number> {
    return this.#local?.clear(identity) ?? 0;
  }

  /** Throws `cache_unavailable` if some answers remain. */
  async clearShared(identity: string): Promise<number> {
    return this.#shared?.clear(identity) ?? 0;
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
      const isShared = this.#shared !== undefined && !(isShortRun && this.#local !== undefined);
      benefit = new CacheBenefit(isShared);
      this.#benefits.set(identity, benefit);
    }
    return benefit;
  }
}

const unanswered = new RememberedAnswer('');
