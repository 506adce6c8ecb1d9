import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import type { FeedbackItem, FeedbackStore } from '../../../../src/monitoring/feedback/feedback-store.js';
import {
  createRedisFeedback,
  type RedisFeedbackOptions,
} from '../../../../src/monitoring/feedback/redis/redis-feedback.js';
import { describeFeedbackStore, predictionEvent, shapeOf } from '../../../contracts/feedback-store.js';
import { startRedis } from '../../../helpers/redis.js';
import { createTestLink } from '../../../helpers/redis-link.js';
import { openSharedRedis } from '../../../helpers/shared-redis.js';

const defaults = { windowSeconds: 2_400, maxPredictions: 1_000, shapeOf, onDamage: () => undefined };

const numbers = { kind: 'numbers' } as const;

async function openAt(url: string, prefix: string, options: Partial<RedisFeedbackOptions> = {}) {
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

  test('predictions get feedback again after Redis has lost everything', async () => {
    await using redis = await startRedis();
    const client = new Redis(redis.url);
    await using one = await openAt(redis.url, 'test:');
    await using two = await openAt(redis.url, 'test:', { shapeOf: () => undefined });
    const keep = async () => {
      const event = predictionEvent(numbers, { prediction: 3 });
      one.store.keep(event);
      await one.store.join([], undefined);
      return { predictionId: event.predictionId, actual: 1 };
    };
    const judge = async (store: FeedbackStore, item: FeedbackItem) =>
      (await store.join([item], undefined))[0];
    expect(await judge(two.store, await keep())).toMatchObject({ result: 'recorded' });
    await client.flushall();
    const [second, third] = [await keep(), await keep()];
    expect(await judge(two.store, second)).toMatchObject({ result: 'recorded' });
    expect((await two.store.sums())?.[0]?.cells['n']).toBe(1);
    // Only the shapes are lost. The server that made the prediction has its own.
    await client.del('test:{feedback}:shapes');
    expect(await judge(two.store, third)).toMatchObject({
      result: 'unavailable',
      reason: expect.stringContaining('send it again later'),
    });
    expect(await judge(one.store, third)).toMatchObject({ result: 'recorded' });
    expect(await judge(two.store, await keep())).toMatchObject({ result: 'recorded' });
    expect((await two.store.sums())?.[0]?.cells['n']).toBe(3);
    await client.quit();
  });

  test('a feedback is recorded with all its sums, or not at all', async () => {
    await using redis = openSharedRedis();
    await using opened = await openAt(redis.url, redis.prefix);
    const { store, test } = opened;
    const [first, second] = [1, 2].map(() => predictionEvent(numbers, { prediction: 3 }));
    for (const event of [first, second]) if (event !== undefined) store.keep(event);
    const judge = async (predictionId = '') =>
      (await store.join([{ predictionId, actual: 1 }], undefined))[0];
    expect(await judge(first?.predictionId)).toMatchObject({ result: 'recorded' });
    const [sums = ''] = await redis.client.keys(`${redis.prefix}{feedback}:q:*`);
    const field = JSON.stringify(['m', first?.version, 'err0']);
    for (const value of ['text', '', ' ', 'inf', 'nan', '1e300']) {
      await redis.client.hset(sums, field, value);
      const degraded = test.degraded.feedback;
      expect(await judge(second?.predictionId), value).toMatchObject({ result: 'unavailable' });
      expect(test.degraded.feedback, value).toBe(degraded + 1);
      // A slot with an unreadable sum has no figures: the others would not belong together.
      expect(await store.sums(), value).toEqual([]);
    }
    await redis.client.hset(sums, field, '2');
    expect((await store.sums())?.[0]?.cells).toEqual({ n: 1, abs0: 2, sq0: 4, err0: 2 });
    expect(await judge(second?.predictionId)).toMatchObject({ result: 'recorded' });
    expect((await store.sums())?.[0]?.cells).toEqual({ n: 2, abs0: 4, sq0: 8, err0: 4 });
    expect(test.refused).toEqual([]);
  });

  test('what another program wrote is skipped, and reported once', async () => {
    await using redis = openSharedRedis();
    const damages: string[] = [];
    await using opened = await openAt(redis.url, redis.prefix, { onDamage: (what) => damages.push(what) });
    await using other = await openAt(redis.url, redis.prefix);
    const { store, test } = opened;
    const base = `${redis.prefix}{feedback}:`;
    const { client } = redis;
    const keep = async () => {
      const event = predictionEvent(numbers, { prediction: 3 });
      store.keep(event);
      await store.join([], undefined);
      return event;
    };
    const judge = async (from: FeedbackStore, { predictionId }: { predictionId: string }) =>
      (await from.join([{ predictionId, actual: 1 }], undefined))[0]?.result;
    const first = await keep();
    expect(await judge(store, first)).toBe('recorded');
    const [sums = ''] = await client.keys(`${base}q:*`);
    for (const field of ['garbage', '{}', '["m"]', '["m","1",7]', '["none","1","n"]'])
      await client.hset(sums, field, '1');
    const junk = [
      '',
      'junk',
      '9',
      '9 {}',
      '9 a b',
      '9999999999999 a [1]',
      '99999999999 m/1 ["m","1",null,null,["x"]]',
    ];
    for (const text of [
      ...junk,
      `99999999999 m/${first.version} ["m",${JSON.stringify(first.version)},null,null,[]]`,
    ]) {
      const predictionId = randomUUID();
      await client.hset(`${base}p:0`, predictionId, text);
      expect(await judge(store, { predictionId }), text).toBe('unknown');
    }
    for (const text of [
      'junk',
      'null',
      '[]',
      '{"kind":"other"}',
      '{"kind":"classes","classes":[{}]}',
      '{"kind":"numbers","names":7}',
    ]) {
      await client.hset(`${base}shapes`, 'other/1', text, `m/${first.version}`, text);
      // This server knows the shape, the other one gets it with the next prediction.
      expect(await judge(store, first), text).toBe('already_recorded');
      expect(await judge(other.store, first), text).toBe('unavailable');
      expect(
        (await store.sums())?.map(({ cells }) => cells['n']),
        text,
      ).toEqual([1]);
    }
    await keep();
    expect(await judge(other.store, first)).toBe('already_recorded');
    for (const n of ['junk', '-1', 'inf', '1e999', '9'.repeat(400)]) {
      await client.set(`${base}n`, n);
      expect(await judge(store, await keep()), n).toBe('recorded');
    }
    expect(damages.sort()).toEqual(['a prediction', 'a shape of a version', 'a sum']);
    expect(test.refused).toEqual([]);
    expect(test.degraded.feedback).toBe(0);
  });

  test('predictions that leave without feedback count as dropped, and feedback takes no room', async () => {
    await using redis = openSharedRedis();
    await using opened = await openAt(redis.url, redis.prefix, { maxPredictions: 64 });
    const { store } = opened;
    const send = async (count: number, share: number) => {
      const items = [];
      for (let k = 0; k < count; k += 1) {
        const event = predictionEvent(numbers, { prediction: 3 });
        store.keep(event);
        const item = { predictionId: event.predictionId, actual: 1 };
        const results = await store.join(k % share === 0 ? [item] : [], undefined);
        expect(results.filter(({ result }) => result !== 'recorded')).toEqual([]);
        items.push(item);
      }
      return items;
    };
    const items = await send(320, 1);
    expect(opened.dropped).toBe(0);
    const again = await store.join(items, undefined);
    expect(again.filter(({ result }) => result === 'already_recorded').length).toBeGreaterThanOrEqual(60);
    const more = await send(320, 4);
    const left = (await store.join(more, undefined)).filter(({ result }) => result === 'recorded').length;
    expect(left).toBeGreaterThan(40);
    expect(opened.dropped).toBe(240 - left);
  });

  test('a prediction leaves soon after the window, also if others come all the time', async () => {
    await using redis = openSharedRedis();
    await using opened = await openAt(redis.url, redis.prefix, {
      windowSeconds: 32,
      maxPredictions: 100_000,
    });
    const { store } = opened;
    const bucketsOf = async () => (await redis.client.keys(`${redis.prefix}{feedback}:p:*`)).sort();
    const keep = async () => {
      const event = predictionEvent(numbers, { prediction: 3 });
      store.keep(event);
      await store.join([], undefined);
      return { predictionId: event.predictionId, actual: 1 };
    };
    const first = await keep();
    const [bucket = ''] = await bucketsOf();
    const started = performance.now();
    while ((await bucketsOf()).length < 3 && performance.now() - started < 10_000) {
      await keep();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    // A bucket takes predictions for a sixteenth of the window.
    expect(await redis.client.ttl(bucket)).toBeLessThanOrEqual(30);
    expect(await store.join([first], undefined)).toMatchObject([{ result: 'recorded' }]);
    expect(opened.dropped).toBe(0);
  });

  test('many predictions at once and few later have room for the same number', async () => {
    await using redis = openSharedRedis();
    await using opened = await openAt(redis.url, redis.prefix, { maxPredictions: 64 });
    const { store } = opened;
    const items: FeedbackItem[] = [];
    const keep = async () => {
      const event = predictionEvent(numbers, { prediction: 3 });
      store.keep(event);
      await store.join([], undefined);
      items.push({ predictionId: event.predictionId, actual: 1 });
    };
    for (let k = 0; k < 32; k += 1) await keep();
    for (let k = 0; k < 15; k += 1) {
      // As if a sixteenth of the window had passed.
      await redis.client.decrby(`${redis.prefix}{feedback}:since`, 150);
      await keep();
    }
    expect(await redis.client.keys(`${redis.prefix}{feedback}:p:*`)).toHaveLength(23);
    const results = await store.join(items, undefined);
    expect(results.filter(({ result }) => result === 'recorded')).toHaveLength(47);
    expect(opened.dropped).toBe(0);
    for (const since of ['junk', '-1', '9'.repeat(12), '9'.repeat(400)]) {
      await redis.client.set(`${redis.prefix}{feedback}:since`, since);
      await keep();
      expect(await store.join(items.slice(-1), undefined), since).toMatchObject([{ result: 'recorded' }]);
    }
    expect(await redis.client.ttl(`${redis.prefix}{feedback}:since`)).toBeGreaterThan(0);
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
