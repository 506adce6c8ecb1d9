import { describe, expect, test } from 'vitest';
import { RefusedByRedis } from '../../src/redis/redis-fault.js';
import { findFreePort } from '../helpers/free-port.js';
import { startRedis } from '../helpers/redis.js';
import type { TestLink } from '../helpers/redis-link.js';
import { createTestLink } from '../helpers/redis-link.js';
import { openSharedRedis } from '../helpers/shared-redis.js';

const read = ({ link }: TestLink, key = 'absent') =>
  link.ask('cache', (redis) => redis.getrange(key, 0, 10), 'read');
const write = ({ link }: TestLink, key = 'test:key') =>
  link.ask('limits', (redis) => redis.set(key, 'value', 'PX', 10_000));

describe('the link to Redis', () => {
  test('asks and is answered', async () => {
    await using redis = openSharedRedis();
    await using test = createTestLink(redis.url, redis.prefix);
    await test.become('up');
    expect(test.link).toMatchObject({ isUp: true, state: 'up' });
    expect(await write(test, `${redis.prefix}a`)).toBe('OK');
    expect(await read(test, `${redis.prefix}a`)).toBe('value');
    expect(test.degraded).toEqual({ cache: 0, limits: 0 });
  });

  test('gives a refusal of one question to who asked, and stays up', async () => {
    await using redis = openSharedRedis();
    await using test = createTestLink(redis.url, redis.prefix);
    await test.become('up');
    await redis.client.lpush(`${redis.prefix}list`, 'x');
    for (let k = 0; k < 10; k += 1) {
      const reply = await read(test, `${redis.prefix}list`);
      expect(reply).toBeInstanceOf(RefusedByRedis);
      expect(reply).toMatchObject({ code: 'WRONGTYPE' });
    }
    expect(test.link.isUp).toBe(true);
    expect(test.degraded).toEqual({ cache: 0, limits: 0 });
  });

  test('goes on without a Redis that is down at the start, and finds it when it comes', async () => {
    const port = await findFreePort();
    await using test = createTestLink(`redis://127.0.0.1:${port}`);
    const startedAt = performance.now();
    expect(await read(test)).toBe(undefined);
    expect(await write(test)).toBe(undefined);
    expect(performance.now() - startedAt).toBeLessThan(20);
    expect(await test.become('down')).toMatchObject({ reason: 'it cannot be reached' });
    expect(test.degraded).toEqual({ cache: 1, limits: 1 });
    await using _redis = await startRedis({ port });
    await test.become('up');
    expect(await write(test)).toBe('OK');
    expect(test.changes).toHaveLength(2);
  });

  test('is back within two seconds after Redis was killed and started again', async () => {
    const redis = await startRedis();
    await using test = createTestLink(redis.url);
    await test.become('up');
    await redis.stop();
    expect(await test.become('down', 1_000)).toMatchObject({ reason: 'the connection was lost' });
    await using _again = await startRedis({ port: redis.port });
    const { awayMs } = (await test.become('up', 2_000)) as { awayMs: number };
    expect(awayMs).toBeGreaterThan(0);
    expect(test.changes).toHaveLength(3);
  });

  test('waits at most three times for one that is frozen, then not at all, and is back when it thaws', async () => {
    await using redis = await startRedis();
    await using test = createTestLink(redis.url);
    await test.become('up');
    redis.freeze();
    for (let k = 0; k < 3; k += 1) {
      const startedAt = performance.now();
      expect(await read(test)).toBe(undefined);
      expect(performance.now() - startedAt).toBeLessThan(100);
    }
    expect(await test.become('down', 100)).toMatchObject({ reason: 'it does not answer in time' });
    const startedAt = performance.now();
    for (let k = 0; k < 1_000; k += 1) expect(await read(test)).toBe(undefined);
    expect(performance.now() - startedAt).toBeLessThan(100);
    expect(test.degraded.cache).toBe(1_003);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    const thawedAt = performance.now();
    redis.thaw();
    await test.become('up', 2_000);
    console.log('thaw', performance.now() - thawedAt);
    expect(await write(test)).toBe('OK');
    expect(test.changes.map(({ state }) => state)).toEqual(['up', 'down', 'up']);
  });
});
