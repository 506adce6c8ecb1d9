import { expect, test, vi } from 'vitest';
import { createRedisCache } from '../../src/cache/redis-cache.js';
import { createRedisLimiter } from '../../src/rate-limit/redis-limiter.js';
import { keyOf } from '../contracts/answer-cache.js';
import { createTestLink } from '../helpers/redis-link.js';
import { openSharedRedis } from '../helpers/shared-redis.js';
import { startTcpProxy } from '../helpers/tcp-proxy.js';

/** A cache and a limiter whose Redis sends an extra reply on demand. */
async function open() {
  const redis = openSharedRedis();
  const { hostname, port, pathname } = new URL(redis.url);
  const proxy = await startTcpProxy(Number(port));
  const opened = createTestLink(`redis://${hostname}:${proxy.port}${pathname}`, redis.prefix, 2_000);
  await opened.become('up');
  const { link } = opened;
  return {
    ...opened,
    proxy,
    cache: createRedisCache(link, { prefix: redis.prefix, ttlSeconds: 60, onCorrupt: () => undefined }),
    limiter: createRedisLimiter(link, redis.prefix),
    async [Symbol.asyncDispose]() {
      await link.close();
      await proxy[Symbol.asyncDispose]();
      await redis[Symbol.asyncDispose]();
    },
  };
}

const limit = { max: 3, windowMs: 60_000 };
const replies = [':7\r\n', '+OK\r\n', '*4\r\n:1\r\n:2\r\n:0\r\n:0\r\n', '*0\r\n', '$-1\r\n'];

test.each(replies)('a connection with the extra reply %j is replaced by another one', async (extra) => {
  await using redis = await open();
  const { cache, limiter, proxy, changes } = redis;
  cache.set(keyOf('a'), '"prediction":1');
  expect(await cache.get(keyOf('a'))).toBe('"prediction":1');
  const before = proxy.accepted;
  // The commands are sent when the extra reply arrives.
  const asked = Promise.all([
    cache.get(keyOf('a')),
    cache.get(keyOf('b')),
    limiter.take('client', limit, 1),
    limiter.take('other', limit, 1),
  ]);
  proxy.inject(extra);
  const [a, b, result] = await asked;
  expect(['"prediction":1', undefined]).toContain(a);
  expect(b).toBe(undefined);
  expect(result === undefined || result.isAdmitted).toBe(true);
  await vi.waitFor(() => expect(proxy.accepted).toBeGreaterThan(before), { timeout: 10_000 });
  await redis.become('up');
  expect(changes.filter(({ state }) => state === 'down')).toEqual([
    expect.objectContaining({ reason: 'its replies do not match the commands' }),
  ]);
  expect(redis.refused).toEqual([]);
  // A wrong reply may have looked like a damaged entry, which was then removed.
  cache.set(keyOf('a'), '"prediction":1');
  expect(await cache.get(keyOf('a'))).toBe('"prediction":1');
  expect(await limiter.take('another', limit, 1)).toMatchObject({ isAdmitted: true, remaining: 2 });
});
