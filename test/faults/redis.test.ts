import { Redis } from 'ioredis';
import { afterAll, expect, vi } from 'vitest';
import { ask, inParallel, readMetric } from '../helpers/ask.js';
import { createCachedSamples } from '../helpers/cached-samples.js';
import { findFreePort } from '../helpers/free-port.js';
import { startRedis } from '../helpers/redis.js';
import { type ServerProcess, startServerProcess } from '../helpers/server-process.js';
import { startTcpProxy } from '../helpers/tcp-proxy.js';
import { fault, faultWithoutServer } from './instruments/fault.js';
import { isFullSize, sizeNote } from './instruments/full-size.js';
import { runLoad } from './instruments/load-generator.js';

const loan = { age: 42, income: 51234.5, credit_score: 688 };
const loanTo = { path: '/models/credit-risk/predict', body: loan };

const samples = createCachedSamples();
afterAll(() => samples[Symbol.dispose]());
/** With these settings each prediction uses Redis twice: for the cache and for the rate limit. */
const busy = { MODELS_DIR: samples.path, CACHE: 'redis', RATE_LIMIT_MAX: '1000000' };

async function waitForState(server: ServerProcess, state: 'up' | 'down', timeout = 10_000): Promise<number> {
  const startedAt = performance.now();
  const read = async () => (await fetch(`${server.url}/health`)).text();
  await vi.waitUntil(async () => (await read()).includes(`"redis":{"state":"${state}"}`), {
    timeout,
    interval: 20,
  });
  return performance.now() - startedAt;
}

/** Sends 200 requests, 8 at once. All must get 200, without texts of Redis. Returns the p99 in ms. */
async function predictThroughout(server: ServerProcess): Promise<number> {
  const latencies = await inParallel(Array.from({ length: 200 }), 8, async (_, k) => {
    const startedAt = performance.now();
    const { status, text } = await ask(server.url, 'credit-risk', { ...loan, income: 50_000 + k });
    expect(status, text).toBe(200);
    expect(text).not.toMatch(/redis|OOM|READONLY|LOADING|MOVED|WRONGPASS|maxclients/i);
    return performance.now() - startedAt;
  });
  expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
  return latencies.sort((a, b) => a - b)[Math.floor(latencies.length * 0.99)] as number;
}

faultWithoutServer('C01', 'a server whose Redis is down starts, is ready and predicts', async () => {
  const start = async (environment: Record<string, string>) => {
    const startedAt = performance.now();
    await using server = await startServerProcess(environment);
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
    const seconds = (performance.now() - startedAt) / 1_000;
    await predictThroughout(server);
    return seconds;
  };
  // A port without listener, an address that loses packets, a name that does not exist.
  const urls = [`redis://127.0.0.1:${await findFreePort()}`, 'redis://192.0.2.1', 'redis://absent.invalid'];
  const without = await start({});
  const times: number[] = [];
  for (const url of urls) times.push(await start({ ...busy, REDIS_URL: url }));
  for (const seconds of times) expect(seconds).toBeLessThan(without + 1);
  const texts = times.map((seconds) => seconds.toFixed(2));
  return `${texts.join(', ')} s to ready (refused, lost, unknown), ${without.toFixed(2)} s without Redis`;
});

const redis = await startRedis();
/** For the row that stops and restarts it. */
let own = await startRedis();
const proxy = await startTcpProxy(redis.port);
const environment = { ...busy, REDIS_URL: `redis://127.0.0.1:${proxy.port}` };

afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await redis.stop();
  await own.stop();
});

fault(
  'C03',
  'predictions continue while the connection to Redis is slow, lossy, half-open or drips',
  async ({ server }) => {
    await waitForState(server, 'up');
    const before = await predictThroughout(server);
    const figures: string[] = [];
    const faults = [
      ['+200 ms', () => proxy.delay(200)],
      ['half-open', () => proxy.stall()],
      ['1 byte/s', () => proxy.drip(1)],
    ] as const;
    for (const [name, inflict] of faults) {
      inflict();
      proxy.cut();
      await waitForState(server, 'down');
      const p99 = await predictThroughout(server);
      proxy.pass();
      const healedMs = await waitForState(server, 'up');
      figures.push(`${name} p99 ${p99.toFixed(0)} ms, up after ${(healedMs / 1_000).toFixed(1)} s`);
    }
    proxy.delay(200, 0.05);
    const lossy = await predictThroughout(server);
    proxy.pass();
    return `before p99 ${before.toFixed(0)} ms; ${figures.join('; ')}; 5 % lost p99 ${lossy.toFixed(0)} ms`;
  },
  { environment, timeoutMs: 120_000 },
);

fault(
  'C04',
  'predictions continue while Redis is full, a replica, locked or has too many clients',
  async ({ server }) => {
    const client = new Redis(redis.url);
    await waitForState(server, 'up');
    const configure = (name: string, value: string) => client.config('SET', name, value);
    const states = [
      [() => configure('maxmemory', '100kb'), () => configure('maxmemory', '0')],
      [() => client.replicaof('127.0.0.1', 1), () => client.replicaof('NO', 'ONE')],
      [() => configure('requirepass', 'canary'), () => configure('requirepass', '')],
      [() => configure('maxclients', '1'), () => configure('maxclients', '100')],
    ] as const;
    for (const [inflict, heal] of states) {
      await inflict();
      proxy.cut();
      await waitForState(server, 'down');
      await predictThroughout(server);
      await heal();
      await waitForState(server, 'up');
    }
    client.disconnect();
    expect(server.stdout.filter((line) => line.includes('Redis is down'))).toHaveLength(states.length);
    return `${states.length} states, 5xx 0 of ${states.length * 200}, texts of Redis 0`;
  },
  { environment, timeoutMs: 120_000 },
);

fault(
  'C02',
  'predictions continue with local limits while Redis is frozen or killed, and the server reconnects by itself',
  async ({ server }) => {
    const seconds = isFullSize ? 60 : 3;
    const perSecond = 400;
    const figures: string[] = [];
    let asked = 0;
    let lost = 0;
    const load = async (forSeconds: number) => {
      const { ok, asked: sent, okP99 } = await runLoad(server, { ...loanTo, perSecond, seconds: forSeconds });
      asked += sent;
      lost += sent - ok;
      // By the client's clock, since a cached answer has no Server-Timing of its own.
      return okP99;
    };
    const degraded = () => readMetric(server.url, 'degraded_total');
    const ways = [
      ['frozen', async () => own.freeze(), async () => own.thaw()],
      [
        'killed',
        () => own.stop(),
        async () => {
          own = await startRedis({ port: own.port });
        },
      ],
    ] as const;
    for (const [name, inflict, heal] of ways) {
      await waitForState(server, 'up');
      const before = await load(seconds);
      const decisions = await degraded();
      const during = load(seconds);
      await inflict();
      const openMs = await waitForState(server, 'down');
      const p99 = await during;
      expect(await degraded()).toBeGreaterThan(decisions);
      expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
      await heal();
      const healedMs = await waitForState(server, 'up');
      const after = await load(seconds);
      const texts = [before, p99, after].map((ms) => ms.toFixed(1));
      figures.push(
        `${name}: p99 ${texts.join(', ')} ms before, during, after; open after ${openMs.toFixed(0)} ms, back after ${healedMs.toFixed(0)} ms`,
      );
    }
    expect(lost).toBe(0);
    // One line for each change, not for each request; the first is from the start.
    const countOf = (text: string) => server.stdout.filter((line) => line.includes(text)).length;
    expect([countOf('Redis is down'), countOf('Redis is up')]).toEqual([ways.length, ways.length + 1]);
    return `lost ${lost} of ${asked}; ${figures.join('; ')}${sizeNote}`;
  },
  { environment: { ...busy, REDIS_URL: `redis://127.0.0.1:${own.port}` }, timeoutMs: 600_000 },
);
