import { describe, expect, test } from 'vitest';
import { createRedisCache } from '../../src/cache/redis-cache.js';
import { describeAnswerCache, identityOf, keyOf } from '../contracts/answer-cache.js';
import { createTestLink } from '../helpers/redis-link.js';
import { openSharedRedis } from '../helpers/shared-redis.js';

/** A cache in the Redis of this run, and what is needed to look behind it. */
async function openRedisCache({ ttlSeconds = 60, prefix = '' } = {}) {
  const redis = openSharedRedis();
  const test = createTestLink(redis.url, redis.prefix, 2_000);
  await test.become('up');
  let corrupt = 0;
  const cache = createRedisCache(test.link, {
    prefix: `${redis.prefix}${prefix}`,
    ttlSeconds,
    onCorrupt: () => {
      corrupt += 1;
    },
  });
  const names = () => redis.client.keys(`${redis.prefix}*c:*`);
  return {
    cache,
    test,
    client: redis.client,
    names,
    /** Of the only entry. */
    nameOf: async () => {
      // Nobody waits for what is set; what is asked on the same connection comes after it.
      await cache.get(keyOf('another'));
      const all = await names();
      expect(all).toHaveLength(1);
      return all[0] as string;
    },
    corrupt: () => corrupt,
    async [Symbol.asyncDispose]() {
      cache.close();
      await test.link.close();
      await redis[Symbol.asyncDispose]();
    },
  };
}

describeAnswerCache('Redis', openRedisCache);

const key = keyOf('[1,2]');
const members = '"prediction":1';

describe('the cache in Redis', () => {
  test('names an entry by the version and a digest of the row, and lets it end', async () => {
    await using opened = await openRedisCache({ ttlSeconds: 60 });
    opened.cache.set(key, members);
    const name = await opened.nameOf();
    expect(name).toMatch(/c:\{[0-9a-f]{32}\}:[\w-]{43}$/);
    expect(name).toContain(key.identity.slice(0, 32));
    expect(await opened.client.get(name)).toMatch(/^1:[\w-]{22}:"prediction":1$/);
    expect(await opened.client.pttl(name)).toBeGreaterThan(58_000);
    expect(await opened.client.pttl(name)).toBeLessThanOrEqual(60_000);
  });

  test('does not store what is over 64 KiB', async () => {
    await using opened = await openRedisCache();
    // In bytes: each of these letters has two.
    opened.cache.set(key, `"x":"${'å'.repeat(33_000)}"`);
    expect(await opened.cache.get(key)).toBe(undefined);
    expect(await opened.names()).toEqual([]);
    expect(opened.corrupt()).toBe(0);
  });

  test('does not store half a surrogate pair, which would come back as another letter', async () => {
    await using opened = await openRedisCache();
    opened.cache.set(key, '"prediction":"\ud800"');
    expect(await opened.cache.get(key)).toBe(undefined);
    expect(opened.corrupt()).toBe(0);
  });

  test('finds the entries of one version alone, whatever the prefix is made of', async () => {
    await using opened = await openRedisCache({ prefix: 'a*[b]?\\:' });
    opened.cache.set(key, members);
    await opened.client.set((await opened.nameOf()).replace('a*[b]?\\', 'axxb?'), 'of somebody else');
    expect(await opened.cache.clear(key.identity)).toBe(1);
    expect(await opened.names()).toHaveLength(1);
  });

  const entryOf = async (other = key, text = members) => {
    await using opened = await openRedisCache();
    opened.cache.set(other, text);
    return (await opened.client.get(await opened.nameOf())) as string;
  };

  test.each([
    ['junk', async () => 'junk'],
    ['bytes that are no text', async () => Buffer.from([0xff, 0xfe, 0, 0x80])],
    ['of another form', async () => (await entryOf()).replace('1:', '2:')],
    ['cut', async () => (await entryOf()).slice(0, -1)],
    ['longer than it was', async () => `${await entryOf()} `],
    ['changed in one bit', async () => (await entryOf()).replace('"prediction":1', '"prediction":0')],
    ['of another row', () => entryOf(keyOf('[1,3]'))],
    ['of another version', () => entryOf(keyOf('[1,2]', identityOf('two')))],
    [
      'of a version whose identity begins the same',
      () => entryOf(keyOf('[1,2]', key.identity.slice(0, 32) + identityOf('two').slice(32))),
    ],
    ['50 MB', async () => Buffer.alloc(50 * 1_048_576, 'x')],
    ['an entry with 50 MB behind it', async () => (await entryOf()) + ' '.repeat(50 * 1_048_576)],
  ])('takes an entry that is %s for a miss, removes and counts it', async (_name, damage) => {
    await using opened = await openRedisCache();
    opened.cache.set(key, members);
    const name = await opened.nameOf();
    await opened.client.set(name, await damage());
    expect(await opened.cache.get(key)).toBe(undefined);
    expect(opened.corrupt()).toBe(1);
    // On the connection that removes it: afterwards.
    expect(await opened.cache.get(key)).toBe(undefined);
    expect(await opened.names()).toEqual([]);
    expect(opened.corrupt()).toBe(1);
    opened.cache.set(key, members);
    expect(await opened.cache.get(key)).toBe(members);
    expect(opened.test.changes).toHaveLength(1);
  });

  test.each(['list', 'hash', 'set', 'stream'])(
    'takes a %s in the place of an entry for a miss',
    async (type) => {
      await using opened = await openRedisCache();
      opened.cache.set(key, members);
      const name = await opened.nameOf();
      await opened.client.unlink(name);
      if (type === 'list') await opened.client.lpush(name, 'x');
      if (type === 'hash') await opened.client.hset(name, 'x', 'y');
      if (type === 'set') await opened.client.sadd(name, 'x');
      if (type === 'stream') await opened.client.xadd(name, '*', 'x', 'y');
      expect(await opened.cache.get(key)).toBe(undefined);
      expect(await opened.cache.get(key)).toBe(undefined);
      expect(opened.corrupt()).toBe(1);
      expect(await opened.names()).toEqual([]);
      expect(opened.test.link.state).toBe('up');
    },
  );

  test('costs a hit and nothing else when the link is closed', async () => {
    await using opened = await openRedisCache();
    opened.cache.set(key, members);
    await opened.test.link.close();
    opened.cache.set(key, members);
    expect(await opened.cache.get(key)).toBe(undefined);
    await expect(opened.cache.clear(key.identity)).rejects.toMatchObject({ code: 'cache_unavailable' });
  });
});
