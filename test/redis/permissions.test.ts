import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { describe, expect, test, vi } from 'vitest';
import { createRedisCache } from '../../src/cache/redis-cache.js';
import { createRedisLimiter } from '../../src/rate-limit/redis-limiter.js';
import { buildTestApp } from '../helpers/app.js';
import { entry } from '../helpers/log-entry.js';
import { startRedis } from '../helpers/redis.js';
import { startCluster } from '../helpers/redis-cluster.js';
import { createTestLink, type TestLink } from '../helpers/redis-link.js';
import { startSentinel } from '../helpers/redis-sentinel.js';

const page = readFileSync('docs/redis.md', 'utf8');
const permissions = /`((?:\+\w+ )+~sardonyx:\*)`/.exec(page)?.[1]?.split(' ') ?? [];
const ofDatabase = /`(\+select)`/.exec(page)?.[1] ?? '';
const ofCluster = /`(\+cluster\|slots)`/.exec(page)?.[1] ?? '';
const ofLimits = ['time', 'lindex', 'ltrim', 'rpush', 'pexpire'];
const patient = 2_000;
const prefix = 'sardonyx:';

async function createUser(client: Redis, ...rules: readonly string[]): Promise<void> {
  await client.call('ACL', 'SETUSER', 'me', 'reset', 'on', '>secret', ...rules);
}

const loginOf = (url: string) => url.replace('//', '//me:secret@');

/** Uses the cache and the limiter in every way, also with damaged and old data. */
async function useAll({ link }: TestLink, client: Redis): Promise<void> {
  let corrupt = 0;
  const onCorrupt = () => {
    corrupt += 1;
  };
  const cache = createRedisCache(link, { prefix, ttlSeconds: 60, onCorrupt });
  const key = { identity: 'a'.repeat(64), request: '[1]' };
  cache.set(key, '"prediction":1');
  expect(await cache.get(key)).toBe('"prediction":1');
  const [name = ''] = await client.keys('sardonyx:c:*');
  await client.set(name, 'junk');
  expect(await cache.get(key)).toBe(undefined);
  expect(await cache.get(key)).toBe(undefined);
  expect([corrupt, await client.exists(name)]).toEqual([1, 0]);
  cache.set(key, '"prediction":1');
  expect(await cache.clear(key.identity)).toBe(1);

  const limits = `${prefix}{limit}:`;
  const limiter = createRedisLimiter(link, limits);
  const limit = { max: 3, windowMs: 60_000 };
  const now = Date.now() * 1_000;
  await client.rpush(`${limits}nan`, entry(Number.NaN, 0, 3));
  await client.rpush(`${limits}old`, entry(now - 1e9, 0, 1), entry(now - 1_000, 1, 2));
  await client.rpush(`${limits}later`, entry(now + 1e9, 0, 3));
  await client.set(`${limits}text`, 'text');
  const ids = ['new', 'nan', 'old', 'later', 'text'].flatMap((id) => [id, id, id, id]);
  const results = await Promise.all(ids.map((id) => limiter.take(id, limit, 1)));
  const admitted = ids.filter((_, k) => results[k]?.isAdmitted).join();
  expect(admitted).toBe('new,new,new,nan,nan,nan,old,old,text,text,text');
  // After a restart, the script runs by its source.
  await client.script('FLUSH');
  expect(await limiter.take('another', limit, 1)).toMatchObject({ isAdmitted: true, remaining: 2 });
}

test('the ACL line of docs/redis.md has the permissions of cache, limits, feedback, jobs and log', () => {
  const listOf = (part: string) =>
    new RegExp(`^- ${part}: \`([^\`]+)\``, 'm').exec(page)?.[1]?.split(' ') ?? [];
  const parts = [
    'Cache and limits',
    '\\[Feedback\\]\\(feedback.md\\)',
    'Batch jobs',
    '`PREDICTION_LOG=redis`',
  ];
  const needed = parts.map(listOf);
  expect(needed.map(({ length }) => length > 0)).toEqual([true, true, true, true]);
  const lines = page.matchAll(/^redis-cli ACL SETUSER sardonyx on '>password' -@all (.*) '~sardonyx:\*'$/gm);
  const allowed = [...lines].map(([, list = '']) => new Set(list.split(' ')));
  expect(allowed).toEqual([new Set(needed.flat().filter((it) => it.startsWith('+')))]);
});

describe('a user with exactly the permissions of docs/redis.md', () => {
  test('may do everything that the server does', async () => {
    await using redis = await startRedis();
    const client = new Redis(redis.url);
    await createUser(client, ...permissions);
    await using test = createTestLink(loginOf(redis.url), prefix, patient);
    expect(await test.become('up')).toEqual({ state: 'up', awayMs: 0 });
    await useAll(test, client);
    await test.link.close();
    expect(test.refused).toEqual([]);
    expect(await client.call('ACL', 'LOG')).toEqual([]);
    client.disconnect();
  });

  test('and that for another database may do everything there', async () => {
    await using redis = await startRedis();
    const client = new Redis(`${redis.url}/3`);
    await createUser(client, ...permissions, ofDatabase);
    await using test = createTestLink(`${loginOf(redis.url)}/3`, prefix, patient);
    await test.become('up');
    await useAll(test, client);
    expect(await client.call('ACL', 'LOG')).toEqual([]);
    client.disconnect();
  });

  test('and that for a cluster may do everything there', async () => {
    await using cluster = await startCluster();
    for (const client of cluster.clients) await createUser(client, ...permissions, ofCluster);
    await using test = createTestLink(loginOf(cluster.url), prefix, patient);
    await test.become('up');
    const limiter = createRedisLimiter(test.link, `${prefix}{limit}:`);
    expect(await limiter.take('a', { max: 3, windowMs: 60_000 }, 1)).toMatchObject({ remaining: 2 });
    const cache = createRedisCache(test.link, { prefix, ttlSeconds: 60, onCorrupt: () => undefined });
    cache.set({ identity: 'a'.repeat(64), request: '1' }, 'x');
    expect(await cache.get({ identity: 'a'.repeat(64), request: '1' })).toBe('x');
    expect(await cache.clear('a'.repeat(64))).toBe(1);
    expect(test.refused).toEqual([]);
  });

  test('and those for Sentinels finds the master, and is notified of the next', async () => {
    await using sentinel = await startSentinel();
    const rules = /`(\+sentinel .*?)`/.exec(page)?.[1]?.split(' ') ?? [];
    await createUser(sentinel.client, ...rules);
    const sentinelLogin = { username: 'me', password: 'secret' };
    await using test = createTestLink(sentinel.url, prefix, patient, { sentinelLogin });
    await test.become('up');
    expect(await sentinel.client.call('ACL', 'LOG')).toEqual([]);
    // The client subscribes after the connection to the master is ready.
    await vi.waitUntil(async () =>
      /sub=1.*cmd=subscribe user=me/.test(String(await sentinel.client.client('LIST'))),
    );
  });

  test.each(permissions.filter((it) => it.startsWith('+') && !/info|quit/.test(it)).map((it) => it.slice(1)))(
    'but not %s makes /health and the log name that command, until the user may run it',
    async (command) => {
      await using redis = await startRedis();
      const client = new Redis(redis.url);
      await createUser(client, ...permissions, `-${command}`);
      await using server = await buildTestApp({ REDIS_URL: loginOf(redis.url), REDIS_TIMEOUT_MS: '2000' });
      const health = async () => (await server.get('/health')).body;
      // Without scripts the probe cannot run.
      const isNeededAtOnce = /^eval/.test(command);
      await vi.waitUntil(async () => JSON.stringify(server.logs).includes('Redis '), 5_000);
      expect((await health()).status).toBe('degraded');
      // Jobs need more, of which this user has nothing: their store says so.
      const lines = server.logs
        .map(({ msg }) => String(msg))
        .filter((msg) => msg.startsWith('Redis') && !msg.startsWith('Redis may lose batch jobs'));
      if (isNeededAtOnce) {
        expect(lines).toEqual([`Redis is down: its user may not run "${command}"`]);
      } else {
        expect(await health()).toMatchObject({ redis: { refused_commands: [command] } });
        expect(lines).toContain(`Redis refuses commands that the server needs: ${command}`);
        expect((await server.get('/metrics')).text).toMatch(
          new RegExp(`redis_refused_commands_total{command="${command}"} [1-9]`),
        );
      }
      await client.call('ACL', 'SETUSER', 'me', `+${command}`);
      await vi.waitUntil(async () => (await health()).status === 'ok', { timeout: 15_000, interval: 50 });
      client.disconnect();
    },
  );

  test.each(ofLimits)('but not %s makes limits count as degraded', async (command) => {
    await using redis = await startRedis();
    const client = new Redis(redis.url);
    await createUser(client, ...permissions, `-${command}`);
    await using test = createTestLink(loginOf(redis.url), prefix, patient);
    await test.become('up');
    const limiter = createRedisLimiter(test.link, `${prefix}{limit}:`);
    const limit = { max: 3, windowMs: 60_000 };
    // Entries of an expired window, so that the script needs each command.
    await client.rpush(`${prefix}{limit}:a`, entry(1, 0, 1), entry(2, 1, 2));
    expect(await limiter.take('a', limit, 1)).toBe(undefined);
    expect(test.degraded.limits).toBe(1);
    expect(test.refused.at(-1)).toContain(command);
    client.disconnect();
  });
});
