import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { AnswerCache, AnswerKey } from '../../src/cache/cache.js';
import { CachedAnswers, type CachedRequest } from '../../src/cache/cached-answers.js';
import { createMemoryCache } from '../../src/cache/memory.js';
import { ServiceError } from '../../src/errors.js';
import type { Answer } from '../../src/models/task.js';

const memory = () => createMemoryCache({ ttlMs: 60_000, maxEntries: 100, maxBytes: 1_048_576 });

/** A request whose answers the test gives, one after the other. */
function createRequest(answers: readonly (() => Promise<Answer>)[]) {
  let runs = 0;
  const ask = (changes: Partial<CachedRequest> = {}): CachedRequest => ({
    identity: 'a'.repeat(64),
    request: {
      text: () => 'row',
      answer: () => {
        runs += 1;
        return (answers[runs - 1] as () => Promise<Answer>)();
      },
    },
    caller: { arrivedAt: performance.now() },
    timeoutMs: 1_000,
    isShortRun: false,
    isBypassed: false,
    ...changes,
  });
  return { ask, runs: () => runs };
}

const answerOf = (prediction: number): Answer => ({
  value: { prediction },
  members: `"prediction":${prediction}`,
  queueMs: 0,
  runMs: 1,
  batchRows: 1,
  batchIndex: 0,
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
  test('are computed once, and then found with their values', async () => {
    const cached = new CachedAnswers(memory());
    const { ask, runs } = createRequest([late(1)]);
    expect(await cached.answer(ask())).toMatchObject({ result: 'miss', answer: { runMs: 1 } });
    const { result, answer } = await cached.answer(ask());
    expect(result).toBe('hit');
    expect(answer.value).toEqual({ prediction: 1 });
    expect(answer.members).toBe('"prediction":1');
    expect(answer.runMs).toBeUndefined();
    expect(runs()).toBe(1);
  });

  test('are computed once for a hundred who ask at once', async () => {
    const cached = new CachedAnswers(memory());
    const { ask, runs } = createRequest([late(1)]);
    const all = await Promise.all(Array.from({ length: 100 }, () => cached.answer(ask())));
    expect(runs()).toBe(1);
    expect(all.map(({ result }) => result)).toEqual(['miss', ...Array(99).fill('shared')]);
    expect(new Set(all.map(({ answer }) => answer.members))).toEqual(new Set(['"prediction":1']));
  });

  test('are never failures: those who wait share one, and who comes later asks anew', async () => {
    const cached = new CachedAnswers(memory());
    const { ask, runs } = createRequest([failing(new ServiceError('run_failed')), late(2)]);
    const all = await Promise.allSettled(Array.from({ length: 10 }, () => cached.answer(ask())));
    expect(all.map(({ status }) => status)).toEqual(Array(10).fill('rejected'));
    expect(runs()).toBe(1);
    expect(await cached.answer(ask())).toMatchObject({
      result: 'miss',
      answer: { value: { prediction: 2 } },
    });
  });

  test.each(['deadline_exceeded', 'client_closed', 'overloaded'] as const)(
    'are computed anew for those who wait when the first one fails for a reason of its own: %s',
    async (code) => {
      const cached = new CachedAnswers(memory());
      const { ask, runs } = createRequest([failing(new ServiceError(code)), late(2)]);
      const all = await Promise.allSettled(Array.from({ length: 5 }, () => cached.answer(ask())));
      expect(all.map(({ status }) => status)).toEqual(['rejected', ...Array(4).fill('fulfilled')]);
      expect(runs()).toBe(2);
    },
  );

  test('are not waited for beyond the own limit of who waits', async () => {
    const cached = new CachedAnswers(memory());
    const { ask, runs } = createRequest([late(1, 300)]);
    const first = cached.answer(ask());
    let isFirstOver = false;
    void first.then(() => {
      isFirstOver = true;
    });
    const arrivedAt = performance.now();
    const second = cached.answer(ask({ caller: { arrivedAt, timeoutMs: 30 } }));
    await expect(second).rejects.toMatchObject({
      code: 'deadline_exceeded',
      headers: { 'retry-after': '1' },
    });
    expect(isFirstOver).toBe(false);
    expect((await first).answer.value).toEqual({ prediction: 1 });
    expect(runs()).toBe(1);
  });

  test('pass by the cache where a new one is wanted, which is then remembered', async () => {
    const cached = new CachedAnswers(memory());
    const { ask } = createRequest([late(1), late(2)]);
    await cached.answer(ask());
    expect(await cached.answer(ask({ isBypassed: true }))).toMatchObject({
      result: 'bypass',
      answer: { value: { prediction: 2 } },
    });
    expect(await cached.answer(ask())).toMatchObject({ result: 'hit', answer: { value: { prediction: 2 } } });
  });

  test('of another version are other answers', async () => {
    const cached = new CachedAnswers(memory());
    const { ask, runs } = createRequest([late(1), late(2)]);
    await cached.answer(ask());
    await cached.answer(ask({ identity: 'b'.repeat(64) }));
    expect(runs()).toBe(2);
  });

  test('of short runs are looked for in their own cache alone', async () => {
    const asked: AnswerKey[] = [];
    const far: AnswerCache = {
      ...memory(),
      get: (key) => {
        asked.push(key);
        return undefined;
      },
    };
    const cached = new CachedAnswers(memory(), far);
    const { ask } = createRequest([late(1), late(2)]);
    await cached.answer(ask({ isShortRun: true }));
    expect(asked).toEqual([]);
    await cached.answer(ask({ identity: 'b'.repeat(64) }));
    expect(asked).toHaveLength(1);
  });
});
