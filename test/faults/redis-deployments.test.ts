import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { afterAll, expect, vi } from 'vitest';
import { ask, readMetric } from '../helpers/ask.js';
import { createCachedSamples } from '../helpers/cached-samples.js';
import { startRedis } from '../helpers/redis.js';
import { startCluster } from '../helpers/redis-cluster.js';
import { startSentinel } from '../helpers/redis-sentinel.js';
import { type ServerProcess, startServerProcess } from '../helpers/server-process.js';
import { startTcpProxy } from '../helpers/tcp-proxy.js';
import { faultWithoutServer } from './instruments/fault.js';

const loan = { age: 42, income: 51234.5, credit_score: 688 };
const max = 20;
const samples = createCachedSamples();
afterAll(() => samples[Symbol.dispose]());
const common = {
  MODELS_DIR: samples.path,
  CACHE: 'redis',
  RATE_LIMIT_MAX: String(max),
  REDIS_TIMEOUT_MS: '500',
};
const page = readFileSync('docs/redis.md', 'utf8');
/** What a user needs for all that a server does. */
const permissions =
  /^redis-cli ACL SETUSER .* -@all (.*)$/m.exec(page)?.[1]?.replaceAll("'", '').split(' ') ?? [];
/** What it needs for the cache and the limits. */
const fewPermissions = /`((?:\+\w+ )+~sardonyx:\*)`/.exec(page)?.[1]?.split(' ') ?? [];

interface Health {
  readonly status: string;
  readonly redis: { readonly state: string; readonly refused_commands?: readonly string[] };
}

const readHealth = async ({ url }: ServerProcess) => (await (await fetch(`${url}/health`)).json()) as Health;
const become = (server: ServerProcess, state: 'up' | 'down') =>
  vi.waitUntil(async () => (await readHealth(server)).redis.state === state, {
    timeout: 20_000,
    interval: 10,
  });

/** Sends `count` requests to the servers in turn, and counts the admitted ones. */
async function countAdmitted(servers: readonly ServerProcess[], count: number): Promise<number> {
  let admitted = 0;
  for (let k = 0; k < count; k += 1) {
    const { status, text } = await ask(
      (servers[k % servers.length] as ServerProcess).url,
      'credit-risk',
      loan,
    );
    expect([200, 429], text).toContain(status);
    if (status === 200) admitted += 1;
  }
  return admitted;
}

async function withServers(
  url: string,
  settings: Readonly<Record<string, string>>,
  use: (servers: readonly ServerProcess[]) => Promise<void>,
) {
  const start = () => startServerProcess({ ...common, ...settings, REDIS_URL: url });
  const servers = await Promise.all([start(), start()]);
  try {
    for (const server of servers) await become(server, 'up');
    await use(servers);
  } finally {
    for (const server of servers) await server[Symbol.asyncDispose]();
  }
}

faultWithoutServer('C08', 'two servers with exactly the documented permissions share one limit', async () => {
  await using redis = await startRedis();
  const client = new Redis(redis.url);
  const url = redis.url.replace('//', '//me:secret@');
  const allow = (rights: readonly string[]) =>
    client.call('ACL', 'SETUSER', 'me', 'reset', 'on', '>secret', '-@all', ...rights);
  let over = 0;
  for (const [rights, settings] of [
    [permissions, {}],
    [fewPermissions, { FEEDBACK: 'off' }],
  ] as const) {
    await client.flushall();
    await allow(rights);
    await withServers(url, settings, async (servers) => {
      over += (await countAdmitted(servers, 3 * max)) - max;
      for (const server of servers) expect((await readHealth(server)).status).toBe('ok');
    });
  }
  expect(over).toBe(0);
  // Without one of the commands, each server names it.
  await allow([...permissions, '-lindex']);
  await withServers(url, {}, async (servers) => {
    await countAdmitted(servers, 4);
    for (const server of servers) {
      expect(await readHealth(server)).toMatchObject({
        status: 'degraded',
        redis: { refused_commands: ['lindex'] },
      });
      expect(
        await readMetric(server.url, 'redis_refused_commands_total', 'command="lindex"'),
      ).toBeGreaterThan(0);
      expect(await readMetric(server.url, 'degraded_total', 'part="limits"')).toBeGreaterThan(0);
      expect(server.stdout.join()).toContain('Redis refuses commands that the server needs: lindex');
    }
  });
  client.disconnect();
  return `over-admitted ${over} of ${6 * max}, with all rights and with those of cache and limits; without lindex: degraded, and lindex named by /health, log and metric`;
});

faultWithoutServer(
  'C08',
  'servers reconnect within 2 s after a failover behind one address, and limits hold',
  async () => {
    await using master = await startRedis();
    await using replica = await startRedis({ settings: ['--replicaof', '127.0.0.1', String(master.port)] });
    await using proxy = await startTcpProxy(master.port);
    const [first, second] = [new Redis(master.url), new Redis(replica.url)];
    await vi.waitUntil(async () => /master_link_status:up/.test(await second.info('replication')), 20_000);
    const times: number[] = [];
    let over = 0;
    await withServers(`redis://127.0.0.1:${proxy.port}`, {}, async (servers) => {
      over = (await countAdmitted(servers, 2 * max)) - max;
      await first.wait(1, 5_000);
      const failedAt = performance.now();
      await second.replicaof('NO', 'ONE');
      await first.replicaof('127.0.0.1', replica.port);
      proxy.retarget(replica.port);
      const measure = async (server: ServerProcess) => {
        await become(server, 'down');
        const seenAt = performance.now();
        await become(server, 'up');
        return (performance.now() - seenAt) / 1_000;
      };
      times.push(...(await Promise.all(servers.map(measure))));
      times.push((performance.now() - failedAt) / 1_000);
      over += await countAdmitted(servers, max);
    });
    for (const client of [first, second]) client.disconnect();
    const [one = 0, two = 0, all = 0] = times;
    expect(Math.max(one, two)).toBeLessThan(2);
    expect(over).toBe(0);
    return `over-admitted ${over}; up ${one.toFixed(2)} and ${two.toFixed(2)} s after the servers saw READONLY, ${all.toFixed(1)} s after the failover, without requests`;
  },
  120_000,
);

faultWithoutServer('C08', 'a database that cannot be selected is never replaced by database 0', async () => {
  await using redis = await startRedis();
  const client = new Redis(redis.url);
  await client.call('ACL', 'SETUSER', 'me', 'on', '>secret', '-@all', ...permissions);
  for (const url of [`${redis.url}/99`, `${redis.url.replace('//', '//me:secret@')}/3`]) {
    await using server = await startServerProcess({ ...common, REDIS_URL: url });
    await become(server, 'down');
    await countAdmitted([server], 10);
    expect((await readHealth(server)).status).toBe('degraded');
    expect(server.stdout.join()).toMatch(
      /Redis is down: (it has no such database|its user may not run \\"select\\")/,
    );
  }
  const keys = await client.dbsize();
  expect(keys).toBe(0);
  client.disconnect();
  return `keys in database 0: ${keys}; both servers degraded, with the reason`;
});

faultWithoutServer(
  'C08',
  'a Redis that closes idle connections does not degrade the server',
  async () => {
    const figures: string[] = [];
    for (const timeout of ['1', '6']) {
      await using redis = await startRedis({ settings: ['--timeout', timeout] });
      await using server = await startServerProcess({ ...common, REDIS_URL: redis.url });
      await become(server, 'up');
      let degraded = 0;
      let looks = 0;
      const until = performance.now() + 9_000;
      while (performance.now() < until) {
        if ((await readHealth(server)).status !== 'ok') degraded += 1;
        if (looks % 20 === 19) await countAdmitted([server], 1);
        looks += 1;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      const decisions = await readMetric(server.url, 'degraded_total');
      const reconnects = await readMetric(server.url, 'redis_reconnects_total');
      const warnings = server.stdout.filter((line) => line.includes('Redis is down')).length;
      expect([degraded, decisions, warnings]).toEqual([0, 0, 0]);
      figures.push(
        `timeout ${timeout}: ${reconnects} reconnects, ${degraded} of ${looks} reads of /health degraded, ${warnings} warnings`,
      );
    }
    return figures.join('; ');
  },
  60_000,
);

faultWithoutServer('C08', 'a request waits only once for a Redis that has just frozen', async () => {
  await using redis = await startRedis();
  await using server = await startServerProcess({ ...common, REDIS_TIMEOUT_MS: '200', REDIS_URL: redis.url });
  await become(server, 'up');
  await ask(server.url, 'credit-risk', loan);
  redis.freeze();
  const times: number[] = [];
  for (let k = 0; k < 4; k += 1) {
    const startedAt = performance.now();
    expect((await ask(server.url, 'credit-risk', { ...loan, age: 50 + k })).status).toBe(200);
    times.push(performance.now() - startedAt);
  }
  redis.thaw();
  // Separate waits for the limit and for the cache would take twice the timeout.
  expect(times[0]).toBeGreaterThan(190);
  expect(times[0]).toBeLessThan(350);
  return `REDIS_TIMEOUT_MS=200: the first four requests take ${times.map((ms) => ms.toFixed(0)).join(', ')} ms`;
});

faultWithoutServer(
  'C08',
  'two servers share one limit on a cluster, and through a failover of Sentinel',
  async () => {
    const figures: string[] = [];
    await using cluster = await startCluster();
    await withServers(cluster.url, {}, async (servers) => {
      const over = (await countAdmitted(servers, 3 * max)) - max;
      expect(over).toBe(0);
      figures.push(`cluster: over-admitted ${over}`);
    });
    await using sentinel = await startSentinel();
    await withServers(sentinel.url, {}, async (servers) => {
      const before = (await countAdmitted(servers, 2 * max)) - max;
      await sentinel.failOver();
      const startedAt = performance.now();
      // Each server reconnects when the Sentinels announce the failover.
      for (const server of servers) {
        await vi.waitUntil(async () => (await readMetric(server.url, 'redis_reconnects_total')) > 0, {
          timeout: 20_000,
          interval: 20,
        });
        await become(server, 'up');
      }
      const seconds = (performance.now() - startedAt) / 1_000;
      const after = await countAdmitted(servers, max);
      expect([before, after]).toEqual([0, 0]);
      expect(seconds).toBeLessThan(2);
      figures.push(
        `Sentinel: over-admitted ${before} before and ${after} after, at the new master after ${seconds.toFixed(2)} s`,
      );
    });
    return figures.join('; ');
  },
  120_000,
);
