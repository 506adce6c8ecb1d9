import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import type { FeedbackOptions } from '../../../src/monitoring/feedback/feedback-store.js';
import { createRedisFeedback } from '../../../src/monitoring/feedback/redis-feedback.js';
import { describeFeedbackStore, predictionEvent, shapeOf } from '../../contracts/feedback-store.js';
import { startRedis } from '../../helpers/redis.js';
import { createTestLink } from '../../helpers/redis-link.js';
import { openSharedRedis } from '../../helpers/shared-redis.js';

const defaults = { windowSeconds: 2_400, maxPredictions: 1_000, shapeOf };

async function openAt(url: string, prefix: string, options: Partial<FeedbackOptions> = {}) {
  const test = createTestLink(url, prefix, 2_000);
  await test.become('up');
  let dropped = 0;
  const store = createRedisFeedback(test.link, {
    ...defaults,
    prefix: `${prefix}{feedback}:`,
    onDrop: (count) => {
      dropped += count;
    },
    ...options,
  });
  return {
    test,
    store,
    get dropped() {
      return dropped;
    },
    async [Symbol.asyncDispose]() {
      await store.close();
      await test.link.close();
    },
  };
}

describe('feedback in Redis', () => {
  describeFeedbackStore(async (options) => {
    const redis = openSharedRedis();
    const opened = await openAt(redis.url, redis.prefix, options);
    return {
      store: opened.store,
      get dropped() {
        return opened.dropped;
      },
      async [Symbol.asyncDispose]() {
        await opened[Symbol.asyncDispose]();
        await redis[Symbol.asyncDispose]();
      },
    };
  });

  test('is shared: another server takes the feedback, has the same figures, and every key expires', async () => {
    await using redis = openSharedRedis();
    await using one = await openAt(redis.url, redis.prefix);
    await using two = await openAt(redis.url, redis.prefix, { shapeOf: () => undefined });
    const event = predictionEvent({ kind: 'numbers' }, { prediction: 3 });
    one.store.keep(event);
    // Its own question sends what waits.
    await one.store.join([], undefined);
    const item = { predictionId: event.predictionId, actual: 1 };
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, k) => (k % 2 === 0 ? one : two).store.join([item], undefined)),
    );
    expect(results.flat().filter(({ result }) => result === 'recorded')).toHaveLength(1);
    expect(await two.store.sums()).toEqual(await one.store.sums());
    expect((await two.store.sums())?.[0]?.cells).toEqual({ n: 1, abs0: 2, sq0: 4, err0: 2 });
    const keys = await redis.client.keys(`${redis.prefix}{feedback}*`);
    expect(keys.length).toBeGreaterThan(3);
    for (const key of keys) expect(await redis.client.ttl(key), key).toBeGreaterThan(0);
  });

  test('is unavailable while Redis is away, and predictions wait for it', async () => {
    const redis = await startRedis();
    await using opened = await openAt(redis.url, 'test:');
    const { store, test } = opened;
    await redis.stop();
    await test.become('down');
    const event = predictionEvent({ kind: 'numbers' }, { prediction: 3 });
    const started = performance.now();
    for (let k = 0; k < 1_000; k += 1) store.keep(predictionEvent({ kind: 'numbers' }, { prediction: 1 }));
    store.keep(event);
    expect(performance.now() - started).toBeLessThan(500);
    // The limit of the store is 1,000: one was dropped.
    expect(opened.dropped).toBe(1);
    const item = { predictionId: event.predictionId, actual: 1 };
    expect(await store.join([item], undefined)).toMatchObject([{ result: 'unavailable' }]);
    expect(await store.sums()).toBe(undefined);
    expect(test.degraded.feedback).toBeGreaterThan(0);
    await using _again = await startRedis({ port: redis.port });
    await test.become('up');
    expect(await store.join([item], undefined)).toMatchObject([{ result: 'recorded' }]);
    expect(opened.dropped).toBe(1);
  });

  test('needs exactly the permissions that docs/redis.md lists', async () => {
    const page = readFileSync('docs/redis.md', 'utf8');
    const listOf = (pattern: RegExp) => pattern.exec(page)?.[1]?.split(' ') ?? [];
    const common = listOf(/`(\+getrange [^`]*) ~sardonyx:\*`/);
    const own = listOf(/^- \[Feedback\]\(feedback\.md\): `([^`]+)`/m);
    await using redis = await startRedis();
    const client = new Redis(redis.url);
    const judge = async (rights: readonly string[]) => {
      await client.call('ACL', 'SETUSER', 'me', 'reset', 'on', '>secret', ...rights, '~sardonyx:*');
      await using opened = await openAt(redis.url.replace('//', '//me:secret@'), 'sardonyx:');
      const { store } = opened;
      const event = predictionEvent({ kind: 'numbers' }, { prediction: 3 });
      store.keep(event);
      const results = await store.join([{ predictionId: event.predictionId, actual: 1 }], undefined);
      return [results[0]?.result, (await store.sums()) !== undefined];
    };
    expect(own.length).toBeGreaterThan(5);
    expect(await judge([...common, ...own])).toEqual(['recorded', true]);
    for (const right of own) {
      const some = [...common, ...own.filter((it) => it !== right)];
      expect(await judge(some), right).not.toEqual(['recorded', true]);
    }
    await client.quit();
  });
});
