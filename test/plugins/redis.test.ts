import { describe, expect, test, vi } from 'vitest';
import { buildEmptyApp, buildTestApp, type TestApp } from '../helpers/app.js';
import { findFreePort } from '../helpers/free-port.js';
import { startLoopTime } from '../helpers/loop-time.js';
import { startRedis } from '../helpers/redis.js';
import { runServerToItsEnd, startServerProcess } from '../helpers/server-process.js';

const loan = { age: 42, income: 51234.5, credit_score: 688 };

async function waitForRedis(server: TestApp, state: 'up' | 'down'): Promise<void> {
  await vi.waitUntil(() => server.app.redis?.state === state, { timeout: 10_000, interval: 5 });
}

/** The log messages about Redis. */
function linesOf(server: TestApp): readonly unknown[] {
  // The check of the store of jobs has a line of its own.
  return server.logs
    .map(({ msg }) => msg)
    .filter((text) => /Redis/.test(String(text)) && !/batch jobs/.test(String(text)));
}

describe('a server', () => {
  test('without REDIS_URL has no Redis in /health and in its metrics', async () => {
    await using server = await buildEmptyApp();
    expect(server.app.redis).toBe(null);
    expect((await server.get('/health')).body).not.toHaveProperty('redis');
    expect((await server.get('/metrics')).text).not.toContain('degraded_total');
  });

  test('shows the state of Redis in /health', async () => {
    await using redis = await startRedis();
    await using server = await buildTestApp({ REDIS_URL: redis.url });
    await waitForRedis(server, 'up');
    expect((await server.get('/health')).body).toMatchObject({ status: 'ok', redis: { state: 'up' } });
    expect((await server.get('/metrics')).text).toContain('degraded_total{part="limits"} 0');
  });

  test('starts, is ready and predicts while Redis is down, and connects when Redis starts', async () => {
    const port = await findFreePort();
    await using server = await buildTestApp({ REDIS_URL: `redis://127.0.0.1:${port}` });
    expect((await server.get('/health/ready')).status).toBe(200);
    expect((await server.post('/predict', loan)).status).toBe(200);
    expect((await server.get('/health')).body).toMatchObject({
      status: 'degraded',
      redis: { state: 'down' },
    });
    await using _redis = await startRedis({ port });
    await waitForRedis(server, 'up');
    expect((await server.get('/health')).body.status).toBe('ok');
  });

  test('logs one line when Redis freezes and one when it is back, and counts degraded operations', async () => {
    await using redis = await startRedis();
    await using server = await buildTestApp({ REDIS_URL: redis.url });
    await waitForRedis(server, 'up');
    const ask = () => server.app.redis?.ask('cache', (commands) => commands.getrange('x', 0, 1), 'read');
    // On a busy machine the first probe may be late, and then Redis counts as down and up once more.
    const countBefore = linesOf(server).length;
    expect(linesOf(server).at(-1)).toBe('Redis is up');
    redis.freeze();
    for (let k = 0; k < 100; k += 1) expect(await ask()).toBe(undefined);
    await waitForRedis(server, 'down');
    expect((await server.get('/health/ready')).status).toBe(200);
    expect((await server.get('/health')).body.status).toBe('degraded');
    redis.thaw();
    // No request is sent: the probes find that Redis is back.
    await waitForRedis(server, 'up');
    expect(linesOf(server).slice(countBefore)).toEqual([
      'Redis is down: it does not answer in time',
      'Redis is up',
    ]);
    const up = server.logs.filter(({ msg }) => msg === 'Redis is up').at(-1);
    expect(up).toMatchObject({ level: 30, away_ms: expect.any(Number) });
    expect((await server.get('/metrics')).text).toContain('degraded_total{part="cache"} 100');
  });

  test('closes at once while Redis is frozen', async () => {
    await using redis = await startRedis();
    const server = await buildEmptyApp({ REDIS_URL: redis.url });
    await waitForRedis(server, 'up');
    redis.freeze();
    using time = startLoopTime();
    await server.app.close();
    // 0.7 s on an idle machine: the queue of jobs waits half a second for its connections.
    expect(time.elapsedMs()).toBeLessThan(3_000);
  });

  test.each([
    ['redis://:canary@localhost/x', 'REDIS_URL: takes a whole number for the database, after the last "/"'],
    ['redis://:canary@localhost?db=1', 'REDIS_URL: takes an address without "?" and "#"'],
    [
      'http://:canary@localhost',
      'REDIS_URL: got "http://…@localhost", takes a redis:// or rediss:// address, of Sentinels (redis+sentinel://) or a cluster (redis+cluster://)',
    ],
  ])('does not start with REDIS_URL=%s, and prints one line with the reason', async (url, line) => {
    const { code, stderr } = await runServerToItsEnd({ REDIS_URL: url });
    expect(code).toBe(1);
    expect(stderr).toEqual([`sardonyx: ${line}`]);
  });

  // On a busy machine the login may not be answered in time, which is another reason.
  test('never shows the password, neither in the log nor to clients', { retry: 2 }, async () => {
    await using redis = await startRedis({ settings: ['--requirepass', 'right'] });
    await using server = await startServerProcess({
      REDIS_URL: redis.url.replace('//', '//me:canary@'),
      LOG_LEVEL: 'trace',
    });
    await vi.waitUntil(() => server.stdout.some((line) => line.includes('Redis is down')), 5_000);
    expect(server.stdout.find((line) => line.includes('Redis is down'))).toContain('the password is wrong');
    const shown = await Promise.all(
      ['/health', '/metrics', '/openapi.json'].map(async (path) => (await fetch(server.url + path)).text()),
    );
    server.child.kill('SIGTERM');
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect([...server.stdout, ...server.stderr, ...shown].join()).not.toContain('canary');
  });
});
