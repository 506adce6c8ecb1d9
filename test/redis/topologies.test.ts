import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { describe, expect, test, vi } from 'vitest';
import { createRedisCache } from '../../src/cache/redis-cache.js';
import { createRedisLimiter } from '../../src/rate-limit/redis-limiter.js';
import { slotOf } from '../../src/redis/connection/key-slot.js';
import { startRedis } from '../helpers/redis.js';
import { startCluster } from '../helpers/redis-cluster.js';
import { createTestLink, type TestLink } from '../helpers/redis-link.js';
import { startSentinel } from '../helpers/redis-sentinel.js';

const patient = 2_000;
const prefix = 'sardonyx:';
const identityOf = (digit: string) => digit.repeat(64);
const write = ({ link }: TestLink) =>
  link.ask('limits', (redis) => redis.set('sardonyx:{limit}:x', 'value', 'PX', 10_000));

/** Uses the cache with several versions and the limiter with several clients. */
async function useAll({ link }: TestLink): Promise<void> {
  const cache = createRedisCache(link, { prefix, ttlSeconds: 60, onCorrupt: () => undefined });
  const versions = [...'0123456789abcdef'].map(identityOf);
  for (const [k, identity] of versions.entries()) {
    for (let row = 0; row < 5; row += 1) cache.set({ identity, request: `${row}` }, `"prediction":${k}`);
  }
  for (const [k, identity] of versions.entries()) {
    expect(await cache.get({ identity, request: '3' })).toBe(`"prediction":${k}`);
  }
  for (const identity of versions) {
    expect(await cache.clear(identity)).toBe(5);
    expect(await cache.get({ identity, request: '3' })).toBe(undefined);
  }
  const limiter = createRedisLimiter(link, `${prefix}{limit}:`);
  const run = randomUUID();
  const limit = { max: 2, windowMs: 60_000 };
  const results = await Promise.all(
    Array.from({ length: 60 }, (_, k) => limiter.take(`${run}${k % 20}`, limit, 1)),
  );
  expect(results.map((it) => it?.isAdmitted)).toEqual(results.map((_, k) => k < 40));
}

describe('a cluster', () => {
  test('of three masters holds answers and limits', async () => {
    await using cluster = await startCluster();
    await using test = createTestLink(cluster.url, prefix, patient);
    await test.become('up');
    await useAll(test);
    // The probe has written to each master.
    for (const client of cluster.clients) {
      expect(Number(/cmdstat_eval:calls=(\d+)/.exec(await client.info('commandstats'))?.[1])).toBeGreaterThan(
        0,
      );
    }
    expect([test.changes.length, test.degraded.limits, test.degraded.cache]).toEqual([1, 0, 0]);
  });

  test('is found through any of its nodes', async () => {
    await using cluster = await startCluster();
    const url = `redis+cluster://127.0.0.1:1,127.0.0.1:${cluster.nodes[2]?.port}`;
    await using test = createTestLink(url, prefix, patient);
    await test.become('up');
    await useAll(test);
  });

  test('is down while one of its masters is frozen, and up again afterwards', async () => {
    await using cluster = await startCluster();
    await using test = createTestLink(cluster.url, prefix, 200);
    await test.become('up');
    cluster.nodes[0]?.freeze();
    await test.become('down', 10_000);
    cluster.nodes[0]?.thaw();
    await test.become('up', 15_000);
    await vi.waitUntil(async () => (await write(test)) === 'OK', 5_000);
  });

  test('that moves slots to another master stays usable', async () => {
    await using cluster = await startCluster();
    await using test = createTestLink(cluster.url, prefix, patient);
    await test.become('up');
    const key = 'sardonyx:moving';
    const slot = slotOf(key);
    const ids = await Promise.all(
      cluster.clients.map(async (client) => String(await client.call('CLUSTER', 'MYID'))),
    );
    const from = Math.floor((slot * 3) / 16_384);
    const to = (from + 1) % 3;
    for (const k of [to, from, 3 - to - from]) {
      await cluster.clients[k]?.call('CLUSTER', 'SETSLOT', slot, 'NODE', String(ids[to]));
    }
    const move = () => test.link.ask('cache', (redis) => redis.set(key, 'value', 'PX', 10_000));
    expect(await move()).toBe('OK');
    expect(await cluster.clients[to]?.exists(key)).toBe(1);
    await useAll(test);
    expect(test.degraded).toEqual({ cache: 0, feedback: 0, limits: 0, log: 0 });
  });

  test('that closes idle connections is no outage', async () => {
    await using cluster = await startCluster(['--timeout', '1']);
    await using test = createTestLink(cluster.url, prefix, patient);
    await test.become('up');
    for (let k = 0; k < 3; k += 1) {
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      expect(await write(test)).toBe('OK');
    }
    expect([test.changes.length, test.degraded.limits]).toEqual([1, 0]);
  });

  test('leaves no socket open after `close`', async () => {
    await using cluster = await startCluster();
    const ofTest = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
    const before = ofTest();
    const test = createTestLink(cluster.url, prefix, patient);
    await test.become('up');
    await useAll(test);
    await test.link.close();
    await vi.waitUntil(() => ofTest() <= before, 1_000);
  });

  test('address that leads to a single server gives the right reason', async () => {
    await using redis = await startRedis();
    await using test = createTestLink(redis.url.replace('redis:', 'redis+cluster:'), prefix, patient);
    expect(await test.become('down')).toMatchObject({
      reason: 'it is not a cluster: REDIS_URL must begin with redis://',
    });
  });

  test('that cannot be reached can be closed at once', async () => {
    const { link, become } = createTestLink('redis+cluster://127.0.0.1:1', prefix, patient);
    expect(await become('down')).toMatchObject({ reason: 'no node of its cluster can be reached' });
    const startedAt = performance.now();
    await link.close();
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });
});

test('the slot of a key equals that of Redis', async () => {
  await using cluster = await startCluster();
  const keys = [
    'a',
    'foo{bar}baz',
    '{limit}',
    'foo{}{bar}',
    'foo{{bar}}zap',
    'å',
    `sardonyx:c:{${'a'.repeat(32)}}:x`,
  ];
  for (const key of keys) expect(slotOf(key), key).toBe(await cluster.clients[0]?.cluster('KEYSLOT', key));
});

describe('through Sentinel', () => {
  test('the master is found, and the new one within two seconds after a failover', async () => {
    await using sentinel = await startSentinel();
    await using test = createTestLink(sentinel.url, prefix, patient);
    await test.become('up');
    await useAll(test);
    await sentinel.failOver();
    const startedAt = performance.now();
    const client = new Redis(sentinel.replica.url);
    await vi.waitUntil(
      async () => {
        await write(test);
        return (await client.exists('sardonyx:{limit}:x')) === 1 && test.link.state === 'up';
      },
      { timeout: 20_000, interval: 20 },
    );
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    await useAll(test);
    client.disconnect();
  });

  test('a dead master is replaced by its replica', async () => {
    await using sentinel = await startSentinel();
    await using test = createTestLink(sentinel.url, prefix, patient);
    await test.become('up');
    await sentinel.master.stop();
    await test.become('down');
    await test.become('up', 20_000);
    expect(await write(test)).toBe('OK');
  });

  test.each([
    [
      'no Sentinel can be reached',
      async () => 'redis+sentinel://127.0.0.1:1/mymaster',
      'none of its Sentinels can be reached',
    ],
    [
      'no Sentinel knows the master',
      async (url: string) => url.replace('mymaster', 'another'),
      'its Sentinels do not know the master',
    ],
  ])('the reason is right if %s', async (_name, toUrl, reason) => {
    await using sentinel = await startSentinel();
    await using test = createTestLink(await toUrl(sentinel.url), prefix, patient);
    expect(await test.become('down')).toMatchObject({ reason });
  });

  test('Sentinels have a password of their own, which no log line shows', async () => {
    await using sentinel = await startSentinel({ password: 'canary' });
    await using without = createTestLink(sentinel.url, prefix, patient);
    expect(await without.become('down')).toMatchObject({
      reason: 'its Sentinels require a password: REDIS_SENTINEL_PASSWORD',
    });
    await using wrong = createTestLink(sentinel.url, prefix, patient, {
      sentinelLogin: { password: 'canary2' },
    });
    const down = await wrong.become('down');
    expect(down).toMatchObject({ reason: 'its Sentinels do not accept REDIS_SENTINEL_PASSWORD' });
    expect(JSON.stringify(down)).not.toContain('canary');
    await using right = createTestLink(sentinel.url, prefix, patient, {
      sentinelLogin: { password: 'canary' },
    });
    await right.become('up');
  });
});
