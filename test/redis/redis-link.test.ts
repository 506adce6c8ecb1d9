import { Redis } from 'ioredis';
import { describe, expect, test, vi } from 'vitest';
import { RefusedByRedis } from '../../src/redis/redis-errors.js';
import { defineScript, runScript } from '../../src/redis/script.js';
import { startFakeRedis } from '../helpers/fake-redis.js';
import { findFreePort } from '../helpers/free-port.js';
import { startLoopTime } from '../helpers/loop-time.js';
import { startRedis } from '../helpers/redis.js';
import type { TestLink } from '../helpers/redis-link.js';
import { createTestLink } from '../helpers/redis-link.js';
import { openSharedRedis } from '../helpers/shared-redis.js';
import { startTcpProxy, type TcpProxy } from '../helpers/tcp-proxy.js';

/** Long enough for a busy machine, where latency is not the subject. */
const patient = 5_000;

const read = ({ link }: TestLink, key = 'absent') =>
  link.ask('cache', (redis) => redis.getrange(key, 0, 10), 'read');
const write = ({ link }: TestLink, key = 'test:key') =>
  link.ask('limits', (redis) => redis.set(key, 'value', 'PX', 10_000));

describe('the link to Redis', () => {
  test('resolves with the reply of a command', async () => {
    await using redis = openSharedRedis();
    await using test = createTestLink(redis.url, redis.prefix, patient);
    await test.become('up');
    expect(test.link).toMatchObject({ state: 'up' });
    expect(await write(test, `${redis.prefix}a`)).toBe('OK');
    expect(await read(test, `${redis.prefix}a`)).toBe('value');
    expect(test.degraded).toEqual({ cache: 0, feedback: 0, limits: 0, log: 0 });
  });

  test('resolves with the refusal of a single command, and stays up', async () => {
    await using redis = openSharedRedis();
    await using test = createTestLink(redis.url, redis.prefix, patient);
    await test.become('up');
    await redis.client.lpush(`${redis.prefix}list`, 'x');
    for (let k = 0; k < 10; k += 1) {
      const reply = await read(test, `${redis.prefix}list`);
      expect(reply).toBeInstanceOf(RefusedByRedis);
      expect(reply).toMatchObject({ code: 'WRONGTYPE' });
    }
    expect(test.link.state).toBe('up');
    expect(test.degraded).toEqual({ cache: 0, feedback: 0, limits: 0, log: 0 });
  });

  test('is down at once if Redis is not started yet, and up when it starts', async () => {
    const port = await findFreePort();
    await using test = createTestLink(`redis://127.0.0.1:${port}`, 'test:', patient);
    using time = startLoopTime();
    expect(await read(test)).toBe(undefined);
    expect(await write(test)).toBe(undefined);
    expect(time.elapsedMs()).toBeLessThan(20);
    expect(await test.become('down')).toMatchObject({ reason: 'it cannot be reached' });
    expect(test.degraded).toEqual({ cache: 1, feedback: 0, limits: 1, log: 0 });
    await using _redis = await startRedis({ port });
    await test.become('up');
    expect(await write(test)).toBe('OK');
    expect(test.changes).toHaveLength(2);
  });

  test('is up within two seconds after Redis was killed and started again', async () => {
    const redis = await startRedis();
    await using test = createTestLink(redis.url, 'test:', patient);
    await test.become('up');
    await redis.stop();
    expect(await test.become('down')).toMatchObject({ reason: 'the connection was lost' });
    await using _again = await startRedis({ port: redis.port });
    const { awayMs } = (await test.become('up', 2_000)) as { awayMs: number };
    expect(awayMs).toBeGreaterThan(0);
    expect(test.changes).toHaveLength(3);
  });

  test('waits at most three times for a frozen Redis, then not at all, and is up when it thaws', async () => {
    await using redis = await startRedis();
    await using proxy = await startTcpProxy(redis.port);
    await using test = createTestLink(`redis://127.0.0.1:${proxy.port}`);
    await test.become('up');
    redis.freeze();
    for (let k = 0; k < 3; k += 1) expect(await read(test)).toBe(undefined);
    expect(await test.become('down', 300)).toMatchObject({ reason: 'it does not answer in time' });
    using time = startLoopTime();
    for (let k = 0; k < 1_000; k += 1) expect(await read(test)).toBe(undefined);
    expect(time.elapsedMs()).toBeLessThan(1_000);
    expect(test.degraded.cache).toBe(1_003);
    // Long enough for two probes: after the second the link tries another connection.
    await vi.waitUntil(() => proxy.accepted > 1, 15_000);
    redis.thaw();
    await test.become('up', 2_000);
    expect(await write(test)).toBe('OK');
    expect(test.changes.map(({ state }) => state)).toEqual(['up', 'down', 'up']);
  });

  test('notices a lost peer although the socket stays open', async () => {
    await using redis = await startRedis();
    await using proxy = await startTcpProxy(redis.port);
    await using test = createTestLink(`redis://127.0.0.1:${proxy.port}`);
    await test.become('up');
    proxy.stall();
    for (let k = 0; k < 3; k += 1) expect(await read(test)).toBe(undefined);
    await test.become('down', 300);
    // Pending commands never get a reply; a new connection works.
    proxy.strand();
    await test.become('up');
    expect(proxy.accepted).toBe(2);
    expect(await write(test)).toBe('OK');
  });

  test.each([
    ['0.2 s away', (proxy: TcpProxy) => proxy.delay(200)],
    ['that sends a byte a second', (proxy: TcpProxy) => proxy.drip(1)],
    ['that sends nothing', (proxy: TcpProxy) => proxy.stall()],
  ])('is down with a Redis %s, and up again afterwards', async (_name, worsen) => {
    await using redis = openSharedRedis();
    await using proxy = await startTcpProxy(Number(new URL(redis.url).port));
    await using test = createTestLink(`redis://127.0.0.1:${proxy.port}`, redis.prefix);
    await test.become('up');
    worsen(proxy);
    for (let k = 0; k < 3; k += 1) expect(await read(test)).toBe(undefined);
    await test.become('down', 300);
    expect(await read(test)).toBe(undefined);
    proxy.pass();
    await test.become('up');
    expect(await read(test)).toBe('');
    expect(test.changes).toHaveLength(3);
  });

  test('loses pending commands when the connection is cut, and none after the reconnect', async () => {
    await using redis = openSharedRedis();
    await using proxy = await startTcpProxy(Number(new URL(redis.url).port));
    await using test = createTestLink(`redis://127.0.0.1:${proxy.port}`, redis.prefix);
    await test.become('up');
    proxy.stall();
    const asked = Array.from({ length: 100 }, () => read(test));
    proxy.cut();
    expect(await Promise.all(asked)).toEqual(asked.map(() => undefined));
    proxy.pass();
    await test.become('up', 4_000);
    expect(await read(test)).toBe('');
    expect(test.changes.map(({ state }) => state)).toEqual(['up', 'down', 'up']);
  });

  test('does not blame Redis for a blocked event loop of its own process', async () => {
    await using redis = openSharedRedis();
    await using test = createTestLink(redis.url, redis.prefix);
    await test.become('up');
    for (let k = 0; k < 5; k += 1) {
      const asked = Array.from({ length: 10 }, () => read(test));
      const until = performance.now() + 150;
      while (performance.now() < until);
      expect(await Promise.all(asked)).toEqual(asked.map(() => ''));
    }
    expect(test.degraded.cache).toBe(0);
  });

  test.each(['answers', 'is frozen'])('leaves no socket open if it is closed while Redis %s', async (how) => {
    await using redis = await startRedis();
    const handles = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
    // A socket of another test may still be closing.
    await vi.waitUntil(() => handles() === 0, 15_000);
    const { link, become, changes } = createTestLink(redis.url, 'test:', how === 'answers' ? patient : 50);
    await become('up');
    const count = changes.length;
    expect(handles()).toBe(1);
    const written = link.ask('cache', (commands) => commands.set('test:last', 'x'));
    if (how === 'is frozen') redis.freeze();
    using time = startLoopTime();
    await link.close();
    expect(time.elapsedMs()).toBeLessThan(500);
    expect(await written).toBe(how === 'is frozen' ? undefined : 'OK');
    expect(handles()).toBe(0);
    expect(await link.ask('cache', (commands) => commands.set('test:late', 'x'))).toBe(undefined);
    expect(changes).toHaveLength(count);
  });

  test.each(['no server listens', 'the server does not answer'])('can be closed while %s', async (how) => {
    await using fake = await startFakeRedis('');
    const url = how === 'no server listens' ? `redis://127.0.0.1:${await findFreePort()}` : fake.url;
    const { link, become } = createTestLink(url);
    await become('down');
    using time = startLoopTime();
    await link.close();
    expect(time.elapsedMs()).toBeLessThan(500);
    expect(process.getActiveResourcesInfo()).not.toContain('TCPConnectWrap');
  });

  test('sends only reads to a Redis out of memory, and writes again when there is room', async () => {
    await using redis = await startRedis();
    const client = new Redis(redis.url);
    await client.set('test:kept', 'value');
    await using test = createTestLink(redis.url, 'test:', patient);
    await test.become('up');
    await client.config('SET', 'maxmemory', '100kb');
    for (let k = 0; k < 3; k += 1) {
      expect(test.link.state).toBe('up');
      expect(await write(test)).toBe(undefined);
      expect(await read(test, 'test:kept')).toBe('value');
    }
    expect(await test.become('down', 100)).toMatchObject({ reason: 'it is out of memory' });
    for (let k = 0; k < 100; k += 1) expect(await read(test, 'test:kept')).toBe('value');
    await client.config('SET', 'maxmemory', '0');
    await test.become('up', 5_000);
    expect(await write(test)).toBe('OK');
    client.disconnect();
  });

  test('recognizes a replica by the error of a script', async () => {
    await using redis = await startRedis({
      settings: ['--replicaof', '127.0.0.1', String(await findFreePort())],
    });
    const client = new Redis(redis.url);
    await client.replicaof('NO', 'ONE');
    await using test = createTestLink(redis.url, 'test:', patient);
    await test.become('up');
    await client.replicaof('127.0.0.1', await findFreePort());
    const script = defineScript("return redis.call('INCR', KEYS[1])");
    for (let k = 0; k < 3; k += 1) {
      expect(await test.link.ask('limits', (commands) => runScript(commands, script, ['test:n'], []))).toBe(
        undefined,
      );
    }
    expect(await test.become('down', 100)).toMatchObject({ reason: 'it is a read-only replica' });
    client.disconnect();
  });
});

describe('a script', () => {
  test('runs by its digest, and by its source if Redis does not know it', async () => {
    await using redis = openSharedRedis();
    await using test = createTestLink(redis.url, redis.prefix, patient);
    await test.become('up');
    // A script that no other test uses, so that Redis does not know it.
    const script = defineScript(`return {KEYS[1], ARGV[1], '${redis.prefix}'}`);
    const run = () => test.link.ask('limits', (commands) => runScript(commands, script, ['test:a'], [7]));
    expect(await redis.client.script('EXISTS', script.sha1)).toEqual([0]);
    expect(await run()).toEqual(['test:a', '7', redis.prefix]);
    expect(await redis.client.script('EXISTS', script.sha1)).toEqual([1]);
    expect(await run()).toEqual(['test:a', '7', redis.prefix]);
  });

  test('that fails gives a refusal, and the link stays up', async () => {
    await using redis = openSharedRedis();
    await using test = createTestLink(redis.url, redis.prefix, patient);
    await test.become('up');
    const script = defineScript("return redis.call('INCR', KEYS[1])");
    await redis.client.set(`${redis.prefix}text`, 'x');
    for (let k = 0; k < 5; k += 1) {
      const reply = await test.link.ask('limits', (commands) =>
        runScript(commands, script, [`${redis.prefix}text`], []),
      );
      expect(reply).toBeInstanceOf(RefusedByRedis);
    }
    expect(test.link.state).toBe('up');
  });

  test('or another command that throws a TypeError gives a refusal too', async () => {
    await using redis = openSharedRedis();
    await using test = createTestLink(redis.url, redis.prefix, patient);
    await test.become('up');
    const ask = () =>
      test.link.ask('limits', () => {
        throw new TypeError('a bug');
      });
    for (let k = 0; k < 5; k += 1) expect(await ask()).toBeInstanceOf(RefusedByRedis);
    expect(test.link.state).toBe('up');
  });
});
