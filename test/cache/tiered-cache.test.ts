import { describe, expect, test } from 'vitest';
import type { AnswerCache, LocalCache } from '../../src/cache/answer-cache.js';
import { createRedisCache } from '../../src/cache/redis-cache.js';
import { createTieredCache } from '../../src/cache/tiered-cache.js';
import { describeAnswerCache, keyOf } from '../contracts/answer-cache.js';
import { createTestLink } from '../helpers/redis-link.js';
import { openSharedRedis } from '../helpers/shared-redis.js';

/** The simplest cache there is, which counts what it is asked. */
function createMapCache(): LocalCache & { readonly asked: () => number } {
  const answers = new Map<string, Map<string, string>>();
  let asked = 0;
  return {
    asked: () => asked,
    get({ identity, request: row }) {
      asked += 1;
      return answers.get(identity)?.get(row);
    },
    set({ identity, request: row }, members) {
      answers.set(identity, (answers.get(identity) ?? new Map()).set(row, members));
    },
    async clear(identity) {
      const { size } = answers.get(identity) ?? new Map();
      answers.delete(identity);
      return size;
    },
    close: () => answers.clear(),
  };
}

/** Two of one process's caches in front of one. */
async function openTieredCache() {
  const redis = openSharedRedis();
  const { link, become } = createTestLink(redis.url, redis.prefix, 2_000);
  await become('up');
  const far = createRedisCache(link, { prefix: redis.prefix, ttlSeconds: 60, onCorrupt: () => undefined });
  return {
    cache: createTieredCache(createMapCache(), far),
    far,
    link,
    async [Symbol.asyncDispose]() {
      await link.close();
      await redis[Symbol.asyncDispose]();
    },
  };
}

describeAnswerCache('memory in front of Redis', openTieredCache);

const key = keyOf('[1,2]');
const members = '"prediction":1';

describe('a cache in front of another', () => {
  test('answers at once from the near one, and does not ask the far one', () => {
    const far = createMapCache();
    const cache = createTieredCache(createMapCache(), far);
    cache.set(key, members);
    expect(cache.get(key)).toBe(members);
    expect(far.asked()).toBe(0);
    expect(far.get(key)).toBe(members);
  });

  test('asks the far one once, and answers at once from then on', async () => {
    await using opened = await openTieredCache();
    opened.far.set(key, members);
    expect(await opened.cache.get(key)).toBe(members);
    expect(opened.cache.get(key)).toBe(members);
  });

  test('answers at once where the far one does', () => {
    const far: AnswerCache = createMapCache();
    const near = createMapCache();
    far.set(key, members);
    expect(createTieredCache(near, far).get(key)).toBe(members);
    expect(near.get(key)).toBe(members);
  });

  test('goes on near when the far one is away', async () => {
    await using opened = await openTieredCache();
    await opened.link.close();
    expect(await opened.cache.get(key)).toBe(undefined);
    opened.cache.set(key, members);
    expect(opened.cache.get(key)).toBe(members);
    await expect(opened.cache.clear(key.identity)).rejects.toMatchObject({ code: 'cache_unavailable' });
    // What can be forgotten is.
    expect(await opened.cache.get(key)).toBe(undefined);
  });
});
