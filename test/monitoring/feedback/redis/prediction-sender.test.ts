import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { FeedbackStore } from '../../../../src/monitoring/feedback/feedback-store.js';
import { createRedisFeedback } from '../../../../src/monitoring/feedback/redis/redis-feedback.js';
import type { RedisLink } from '../../../../src/redis/redis-link.js';
import { predictionEvent, shapeOf } from '../../../contracts/feedback-store.js';
import { createTestLink } from '../../../helpers/redis-link.js';
import { openSharedRedis } from '../../../helpers/shared-redis.js';

const numbers = { kind: 'numbers' } as const;
const row = () => predictionEvent(numbers, { prediction: 3 });

/** Feedback in the Redis of the tests. `asked` is the number of questions to it. */
async function openFeedback(maxPredictions = 100_000) {
  const redis = openSharedRedis();
  const { link, become } = createTestLink(redis.url, redis.prefix, 2_000);
  await become('up');
  let asked = 0;
  const ask: RedisLink['ask'] = (...about) => {
    asked += 1;
    return link.ask(...about);
  };
  const store = createRedisFeedback(
    { ask, recordDegraded: link.recordDegraded },
    {
      prefix: `${redis.prefix}{feedback}:`,
      windowSeconds: 2_400,
      maxPredictions,
      shapeOf,
      onDrop: () => undefined,
      onDamage: () => undefined,
    },
  );
  return {
    store,
    get asked() {
      return asked;
    },
    async [Symbol.asyncDispose]() {
      await store.close();
      await link.close();
      await redis[Symbol.asyncDispose]();
    },
  };
}

/** Keeps so many rows a millisecond, some in each turn of the event loop. */
function startStream(store: FeedbackStore, rowsAMs: number) {
  const started = performance.now();
  let isOn = true;
  let kept = 0;
  const next = () => {
    if (!isOn) return;
    for (; kept < (performance.now() - started) * rowsAMs; kept += 1) store.keep(row());
    setImmediate(next);
  };
  next();
  return {
    get kept() {
      return kept;
    },
    [Symbol.dispose]: () => {
      isOn = false;
    },
  };
}

describe('predictions on their way to Redis', () => {
  test('feedback waits only for the predictions before it, however many come meanwhile', async () => {
    await using opened = await openFeedback();
    const { store } = opened;
    using stream = startStream(store, 5);
    await sleep(100);
    const results: (string | undefined)[] = [];
    const judge = async () => {
      for (let k = 0; k < 5; k += 1) {
        const event = row();
        store.keep(event);
        const item = { predictionId: event.predictionId, actual: 3 };
        results.push((await store.join([item], undefined))[0]?.result);
      }
    };
    const limit = new AbortController();
    await Promise.race([
      Promise.all([judge(), judge()]),
      sleep(5_000, undefined, { signal: limit.signal }).catch(() => undefined),
    ]);
    limit.abort();
    expect(stream.kept).toBeGreaterThan(500);
    expect([...results]).toEqual(Array.from({ length: 10 }, () => 'recorded'));
  });

  test('a steady stream goes to Redis in portions of 20 ms', async () => {
    await using opened = await openFeedback();
    const { store } = opened;
    const started = performance.now();
    using stream = startStream(store, 2);
    await sleep(1_000);
    const passedMs = performance.now() - started;
    expect(stream.kept).toBeGreaterThan(1_000);
    expect(opened.asked).toBeGreaterThan(5);
    expect(opened.asked).toBeLessThanOrEqual(passedMs / 20 + 1);
  });
});
