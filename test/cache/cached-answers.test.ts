import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { AnswerCache, AnswerKey } from '../../src/cache/answer-cache.js';
import { CachedAnswers, type Caching } from '../../src/cache/cached-answers.js';
import { createMemoryCache } from '../../src/cache/memory-cache.js';
import { ServiceError } from '../../src/errors.js';
import { createCall } from '../../src/inference/batching/call-context.js';
import type { Answer, CheckedRequest } from '../../src/models/tasks/task.js';

const memory = () => createMemoryCache({ ttlMs: 60_000, maxEntries: 100, maxBytes: 1_048_576 });

interface Asked extends Partial<Caching> {
  readonly timeoutMs?: number;
}

/** A request that returns the given answers one after the other. */
function createRequest(answers: readonly (() => Promise<Answer>)[]) {
  let runs = 0;
  const request: CheckedRequest = {
    cacheKey: () => 'row',
    hash: () => 0,
    answer: () => {
      runs += 1;
      return (answers[runs - 1] as () => Promise<Answer>)();
    },
  };
  const ask = (cached: CachedAnswers, { timeoutMs = 1_000, ...changes }: Asked = {}) => {
    const call = createCall({ arrivedAt: performance.now() }, timeoutMs);
    const caching = {
      identity: 'a'.repeat(64),
      isShortRun: false,
      isBypassed: false,
      isForced: false,
      ...changes,
    };
    return cached.answer(request, call, caching);
  };
  return { ask, runs: () => runs };
}

const answerOf = (prediction: number): Answer => ({
  value: { prediction },
  fieldsJson: `"prediction":${prediction}`,
  timing: { queueMs: 0, runMs: 1, endedAt: 0, batchRows: 1, batchIndex: 0, ownRows: 1 },
});
const late =
  (prediction: number, ms = 20) =>
  async () => {
    await pause(ms);
    return answerOf(prediction);
  };
const failing =
  (error: Error, ms = 20) =>
  async (): Promise<Answer> => {
    await pause(ms);
    throw error;
  };

describe('cached answers', () => {
  test('are computed once, and found with their values afterwards', async () => {
    const cached = new CachedAnswers(memory());
    const { ask, runs } = createRequest([late(1)]);
    expect(await ask(cached)).toMatchObject({ result: 'miss', answer: { timing: { runMs: 1 } } });
    const { result, answer } = await ask(cached);
    expect(result).toBe('hit');
    expect(answer.value).toEqual({ prediction: 1 });
    expect(answer.fieldsJson).toBe('"prediction":1');
    expect(answer.timing).toBeUndefined();
    expect(runs()).toBe(1);
  });

  test('are computed once for a hundred concurrent requests', async () => {
    const cached = new CachedAnswers(memory());
    const { ask, runs } = createRequest([late(1)]);
    const all = await Promise.all(Array.from({ length: 100 }, () => ask(cached)));
    expect(runs()).toBe(1);
    expect(all.map(({ result }) => result)).toEqual(['miss', ...Array(99).fill('shared')]);
    expect(new Set(all.map(({ answer }) => answer.fieldsJson))).toEqual(new Set(['"prediction":1']));
  });

  test('exclude failures: waiting requests share a failure, and a later request computes again', async () => {
    const cached = new CachedAnswers(memory());
    const { ask, runs } = createRequest([failing(new ServiceError('run_failed')), late(2)]);
    const all = await Promise.allSettled(Array.from({ length: 10 }, () => ask(cached)));
    expect(all.map(({ status }) => status)).toEqual(Array(10).fill('rejected'));
    expect(runs()).toBe(1);
    expect(await ask(cached)).toMatchObject({
      result: 'miss',
      answer: { value: { prediction: 2 } },
    });
  });

  test.each(['deadline_exceeded', 'client_closed', 'overloaded'] as const)(
    'are computed again for waiting requests if the first one fails for a reason of its own client: %s',
    async (code) => {
      const cached = new CachedAnswers(memory());
      const { ask, runs } = createRequest([failing(new ServiceError(code)), late(2)]);
      const all = await Promise.allSettled(Array.from({ length: 5 }, () => ask(cached)));
      expect(all.map(({ status }) => status)).toEqual(['rejected', ...Array(4).fill('fulfilled')]);
      expect(runs()).toBe(2);
    },
  );

  test('are not awaited beyond the deadline of the waiting request', async () => {
    const cached = new CachedAnswers(memory());
    const { ask, runs } = createRequest([late(1, 300)]);
    const first = ask(cached);
    let isFirstOver = false;
    void first.then(() => {
      isFirstOver = true;
    });
    const second = ask(cached, { timeoutMs: 30 });
    await expect(second).rejects.toMatchObject({
      code: 'deadline_exceeded',
      headers: { 'retry-after': '1' },
    });
    expect(isFirstOver).toBe(false);
    expect((await first).answer.value).toEqual({ prediction: 1 });
    expect(runs()).toBe(1);
  });

  test('are computed again if the client bypasses the cache, and then stored', async () => {
    const cached = new CachedAnswers(memory());
    const { ask } = createRequest([late(1), late(2)]);
    await ask(cached);
    expect(await ask(cached, { isBypassed: true })).toMatchObject({
      result: 'bypass',
      answer: { value: { prediction: 2 } },
    });
    expect(await ask(cached)).toMatchObject({ result: 'hit', answer: { value: { prediction: 2 } } });
  });

  test('are separate for each version', async () => {
    const cached = new CachedAnswers(memory());
    const { ask, runs } = createRequest([late(1), late(2)]);
    await ask(cached);
    await ask(cached, { identity: 'b'.repeat(64) });
    expect(runs()).toBe(2);
  });

  test('of short runs are looked up in the local cache only', async () => {
    const asked: AnswerKey[] = [];
    const shared: AnswerCache = {
      ...memory(),
      get: (key) => {
        asked.push(key);
        return undefined;
      },
    };
    const cached = new CachedAnswers(memory(), shared);
    const { ask } = createRequest([late(1), late(2)]);
    await ask(cached, { isShortRun: true });
    expect(asked).toEqual([]);
    await ask(cached, { identity: 'b'.repeat(64) });
    expect(asked).toHaveLength(1);
  });
});
