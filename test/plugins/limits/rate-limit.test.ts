import Fastify, { type FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ApiKey, Scope } from '../../../src/auth/api-key.js';
import { ServiceError } from '../../../src/errors.js';
import clientAddress from '../../../src/plugins/client-address.js';
import limits from '../../../src/plugins/limits/rate-limit.js';
import metrics from '../../../src/plugins/metrics.js';
import problems from '../../../src/plugins/problems.js';
import redis from '../../../src/plugins/redis.js';
import { readMetricText } from '../../helpers/ask.js';
import { startRedis } from '../../helpers/redis.js';

const problemSettings = { errorsUrl: '/errors', showsProblems: true, logFault: () => undefined };

function createKey(id: string, max?: number, windowMs = 60_000): ApiKey {
  const limit = max === undefined ? undefined : { max, windowMs };
  return {
    id,
    sha256: '',
    scopes: new Set(['predict']),
    models: undefined,
    limit,
    rowLimit: undefined,
    expiresAt: undefined,
  };
}

interface TestLimits extends AsyncDisposable {
  readonly app: FastifyInstance;
  ask(more?: { key?: string; address?: string; url?: string; method?: 'GET' | 'HEAD' }): Promise<{
    readonly status: number;
    readonly headers: Readonly<Record<string, unknown>>;
    readonly body: Readonly<Record<string, unknown>>;
  }>;
}

/** The limits of a server on a public host. A stand-in replaces the check of keys. */
async function buildLimits(
  config: { HOST?: string; RATE_LIMIT_MAX?: number; RATE_LIMIT_WINDOW?: string } = {},
  keys: readonly ApiKey[] = [],
  redisUrl?: string,
): Promise<TestLimits> {
  const app = Fastify();
  const keysByName = new Map(keys.map((key, k) => [`${key.id}${k}`, key]));
  await app.register(metrics);
  await app.register(clientAddress, {});
  await app.register(redis, {
    ...(redisUrl !== undefined && { REDIS_URL: redisUrl }),
    REDIS_TIMEOUT_MS: 2_000,
  });
  await app.register(problems, problemSettings);
  await app.register(
    fp(
      async (instance) => {
        instance.decorateRequest('key', null);
        instance.addHook('onRequest', (request, _reply, done) => {
          const name = request.headers['x-api-key'];
          const key = typeof name === 'string' ? keysByName.get(name) : null;
          if (key === undefined) return done(new ServiceError('api_key_invalid'));
          request.key = key;
          done();
        });
      },
      { name: 'auth' },
    ),
  );
  const host = { HOST: '0.0.0.0', RATE_LIMIT_MAX: undefined, RATE_LIMIT_WINDOW: '1 minute' };
  await app.register(limits, { ...host, ...config } as never);
  const addRoute = (url: string, scope: Scope | 'open', more: { limit?: 'none' } = {}) =>
    app.get(url, { config: { scope, ...more } }, async () => ({ is: 'answered' }));
  addRoute('/predict', 'predict');
  addRoute('/docs', 'open');
  addRoute('/health', 'open', { limit: 'none' });
  addRoute('/metrics', 'metrics', { limit: 'none' });
  app.get('/broken', { config: { scope: 'read' } }, async () => {
    throw new Error('for a test');
  });
  return {
    app,
    async ask({ key, address = '192.0.2.1', url = '/predict', method = 'GET' } = {}) {
      const headers = key === undefined ? {} : { 'x-api-key': key };
      const reply = await app.inject({ method, url, headers, remoteAddress: address });
      const body = reply.body === '' ? {} : reply.json();
      return { status: reply.statusCode, headers: reply.headers, body };
    },
    [Symbol.asyncDispose]: () => app.close(),
  };
}

const statusesOf = async (times: number, ask: () => Promise<{ status: number }>) => {
  const statuses: number[] = [];
  for (let k = 0; k < times; k += 1) statuses.push((await ask()).status);
  return statuses;
};
const refusals = async ({ app }: TestLimits, by: string) =>
  readMetricText(await app.metrics.text(), 'rate_limited_total', `by="${by}"`);

beforeEach(() => vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => vi.useRealTimers());

describe('an address without a key', () => {
  test('has 100 requests a minute by default', async () => {
    await using server = await buildLimits();
    expect(await statusesOf(101, server.ask)).toEqual([...new Array(100).fill(200), 429]);
    expect((await server.ask({ address: '192.0.2.2' })).status).toBe(200);
    expect(await refusals(server, 'address')).toBe(1);
  });

  test('has no default limit on a loopback host, where all clients share an address', async () => {
    for (const HOST of ['127.0.0.1', '127.1.2.3', 'localhost', '::1']) {
      await using server = await buildLimits({ HOST });
      const { status, headers } = await server.ask();
      expect([status, headers['ratelimit-policy']]).toEqual([200, undefined]);
    }
    await using server = await buildLimits({ HOST: '127.0.0.1', RATE_LIMIT_MAX: 2 });
    expect(await statusesOf(3, server.ask)).toEqual([200, 200, 429]);
  });

  test('has no limit if RATE_LIMIT_MAX is 0', async () => {
    await using server = await buildLimits({ RATE_LIMIT_MAX: 0 });
    expect(new Set(await statusesOf(120, server.ask))).toEqual(new Set([200]));
  });

  test('shares its limit with its IPv6 /64, and an IPv4 address with its IPv6 form', async () => {
    await using server = await buildLimits({ RATE_LIMIT_MAX: 1 });
    const ask = async (address: string) => (await server.ask({ address })).status;
    expect([await ask('2001:db8::1'), await ask('2001:db8::ffff:2')]).toEqual([200, 429]);
    expect([await ask('2001:db8:0:1::1')]).toEqual([200]);
    expect([await ask('192.0.2.9'), await ask('::ffff:192.0.2.9')]).toEqual([200, 429]);
  });
});

describe('a key', () => {
  test('has its own limit, and none by default', async () => {
    await using server = await buildLimits({}, [createKey('a', 2), createKey('b', 3), createKey('free')]);
    expect(await statusesOf(3, () => server.ask({ key: 'a0' }))).toEqual([200, 200, 429]);
    expect(await statusesOf(4, () => server.ask({ key: 'b1' }))).toEqual([200, 200, 200, 429]);
    expect(new Set(await statusesOf(150, () => server.ask({ key: 'free2' })))).toEqual(new Set([200]));
    expect([await refusals(server, 'key'), await refusals(server, 'address')]).toEqual([2, 0]);
  });

  test('without its own limit has that of the server', async () => {
    await using server = await buildLimits({ RATE_LIMIT_MAX: 1, RATE_LIMIT_WINDOW: '2 hours' }, [
      createKey('a'),
    ]);
    const { headers } = await server.ask({ key: 'a0' });
    expect(headers['ratelimit-policy']).toBe('"default";q=1;w=7200');
    expect((await server.ask({ key: 'a0' })).status).toBe(429);
  });

  test('shares its limit with the other keys of the same client, from every address', async () => {
    await using server = await buildLimits({}, [createKey('a', 2), createKey('a', 2)]);
    const answers = [
      await server.ask({ key: 'a0' }),
      await server.ask({ key: 'a1', address: '192.0.2.2' }),
      await server.ask({ key: 'a0', address: '192.0.2.3' }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
  });
});

test('every limited answer has the headers of the limit, errors included', async () => {
  await using server = await buildLimits({}, [createKey('a', 3)]);
  const limitHeadersOf = async (url: string) => {
    const { status, headers } = await server.ask({ key: 'a0', url });
    return [status, headers['ratelimit-policy'], headers['ratelimit'], headers['retry-after']];
  };
  const policy = '"default";q=3;w=60';
  expect(await limitHeadersOf('/predict')).toEqual([200, policy, '"default";r=2;t=60', undefined]);
  vi.advanceTimersByTime(10_500);
  expect(await limitHeadersOf('/broken')).toEqual([500, policy, '"default";r=1;t=50', undefined]);
  expect(await limitHeadersOf('/predict')).toEqual([200, policy, '"default";r=0;t=50', undefined]);
  expect(await limitHeadersOf('/predict')).toEqual([429, policy, '"default";r=0;t=50', '50']);
});

test('a refused client is admitted after Retry-After, and not a second earlier', async () => {
  await using server = await buildLimits({}, [createKey('a', 2)]);
  await server.ask({ key: 'a0' });
  vi.advanceTimersByTime(20_300);
  await server.ask({ key: 'a0' });
  const refused = await server.ask({ key: 'a0' });
  expect(refused).toMatchObject({
    status: 429,
    headers: { 'retry-after': '40' },
    body: { code: 'rate_limited', detail: 'The limit of this key is 2 in 60 s.' },
  });
  vi.advanceTimersByTime(39_000);
  expect((await server.ask({ key: 'a0' })).status).toBe(429);
  vi.advanceTimersByTime(1_000);
  expect((await server.ask({ key: 'a0' })).status).toBe(200);
});

test('probes and metrics are not counted, and a HEAD request counts as one', async () => {
  await using server = await buildLimits({ RATE_LIMIT_MAX: 2 });
  for (let k = 0; k < 5; k += 1) {
    for (const url of ['/health', '/metrics']) {
      const { status, headers } = await server.ask({ url });
      expect([status, headers['ratelimit']]).toEqual([200, undefined]);
    }
  }
  const { headers } = await server.ask({ method: 'HEAD' });
  expect(headers['ratelimit']).toBe('"default";r=1;t=60');
});

test('documents have a limit by address, with or without a key, apart from the other limits', async () => {
  await using server = await buildLimits({ RATE_LIMIT_MAX: 1 }, [createKey('a')]);
  for (let left = 9; left >= 0; left -= 1) {
    const { status, headers } = await server.ask({ url: '/docs', ...(left % 2 === 0 && { key: 'a0' }) });
    expect([status, headers['ratelimit-policy'], headers['ratelimit']]).toEqual([
      200,
      '"documents";q=10;w=60',
      `"documents";r=${left};t=60`,
    ]);
  }
  expect(await server.ask({ url: '/docs' })).toMatchObject({
    status: 429,
    headers: { 'retry-after': '60' },
    body: { code: 'rate_limited', detail: 'The limit of an address for documents is 10 in 60 s.' },
  });
  expect((await server.ask({ url: '/docs', address: '192.0.2.2' })).status).toBe(200);
  expect((await server.ask()).status).toBe(200);
  expect(await refusals(server, 'documents')).toBe(1);
});

test.each([{ RATE_LIMIT_MAX: 0 }, { HOST: '127.0.0.1' }])(
  'documents have no limit if addresses have none: %o',
  async (config) => {
    await using server = await buildLimits(config);
    const { status, headers } = await server.ask({ url: '/docs' });
    expect([status, headers['ratelimit']]).toEqual([200, undefined]);
  },
);

test('servers with one Redis share every limit, and each counts alone while Redis is down', async () => {
  vi.useRealTimers();
  const redisServer = await startRedis();
  const config = { RATE_LIMIT_MAX: 4 };
  await using one = await buildLimits(config, [createKey('a', 3)], redisServer.url);
  await using two = await buildLimits(config, [createKey('a', 3)], redisServer.url);
  for (const { app } of [one, two]) await vi.waitFor(() => expect(app.redis?.state).toBe('up'));
  const inTurn = async (more: { key?: string }) => {
    const statuses: number[] = [];
    for (let k = 0; k < 6; k += 1) statuses.push((await (k % 2 === 0 ? one : two).ask(more)).status);
    return statuses;
  };
  expect(await inTurn({ key: 'a0' })).toEqual([200, 200, 200, 429, 429, 429]);
  expect(await inTurn({})).toEqual([200, 200, 200, 200, 429, 429]);
  await redisServer.stop();
  const { status, headers } = await one.ask({ address: '192.0.2.77' });
  expect([status, headers['ratelimit']]).toEqual([200, '"default";r=3;t=60']);
  expect(readMetricText(await one.app.metrics.text(), 'degraded_total', 'part="limits"')).toBeGreaterThan(0);
});
