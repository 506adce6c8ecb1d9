import { describe, expect, test } from 'vitest';
import type { AnswerCache, LocalCache } from '../../src/cache/answer-cache.js';
import { createRedisCache } from '../../src/cache/redis-cache.js';
import { createTieredCache } from '../../src/cache/tiered-cache.js';
import { describeAnswerCache, keyOf } from '../contracts/answer-cache.js';
import { createTestLink } from '../helpers/redis-link.js';
import { openSharedRedis } from '../helpers/shared-redis.js';

/** A cache that counts its lookups. */
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

/** A local cache in front of Redis. */
async function openTieredCache() {
  const redis = openSharedRedis();
  const { link, become } = createTestLink(redis.url, redis.prefix, 2_000);
  await become('up');
  const shared = createRedisCache(link, { prefix: redis.prefix, ttlSeconds: 60, onCorrupt: () => undefined });
  return {
    cache: createTieredCache(createMapCache(), shared),
    shared,
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

describe('a tiered cache', () => {
  test('answers at once from the local cache, without a lookup in the shared one', () => {
    const shared = createMapCache();
    const cache = createTieredCache(createMapCache(), shared);
    cache.set(key, members);
    expect(cache.get(key)).toBe(members);
    expect(shared.asked()).toBe(0);
    expect(shared.get(key)).toBe(members);
  });

  test('looks an answer up in the shared cache once, and answers at once afterwards', async () => {
    await using opened = await openTieredCache();
    opened.shared.set(key, members);
    expect(await opened.cache.get(key)).toBe(members);
    expect(opened.cache.get(key)).toBe(members);
  });

  test('answers at once if the shared cache does', () => {
    const shared: AnswerCache = createMapCache();
    const local = createMapCache();
    shared.set(key, members);
    expect(createTieredCache(local, shared).get(key)).toBe(members);
    expect(local.get(key)).toBe(members);
  });

  test('uses the local cache while the shared one is away', async () => {
    await using opened = await openTieredCache();
    await opened.link.close();
    expect(await opened.cache.get(key)).toBe(undefined);
    opened.cache.set(key, members);
    expect(opened.cache.get(key)).toBe(members);
    await expect(opened.cache.clear(key.identity)).rejects.toMatchObject({ code: 'cache_unavailable' });
    // The local cache was cleared.
    expect(await opened.cache.get(key)).toBe(undefined);
  });
});
