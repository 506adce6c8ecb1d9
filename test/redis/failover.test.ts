import { Redis } from 'ioredis';
import { describe, expect, test, vi } from 'vitest';
import { startFakeRedis } from '../helpers/fake-redis.js';
import { startRedis } from '../helpers/redis.js';
import { createTestLink, type TestLink } from '../helpers/redis-link.js';
import { startTcpProxy } from '../helpers/tcp-proxy.js';

const patient = 2_000;
const write = ({ link }: TestLink) =>
  link.ask('limits', (redis) => redis.set('test:key', 'value', 'PX', 10_000));
const read = ({ link }: TestLink) => link.ask('cache', (redis) => redis.getrange('test:key', 0, 9), 'read');

/** A master and its replica behind one address. */
async function startPair() {
  const master = await startRedis();
  const replica = await startRedis({ settings: ['--replicaof', '127.0.0.1', String(master.port)] });
  const clients = [new Redis(master.url), new Redis(replica.url)] as const;
  const proxy = await startTcpProxy(master.port);
  await vi.waitUntil(async () => /master_link_status:up/.test(await clients[1].info('replication')), 20_000);
  return {
    url: `redis://127.0.0.1:${proxy.port}`,
    proxy,
    master,
    replica,
    demote: () => clients[0].replicaof('127.0.0.1', replica.port),
    /** Makes the replica a master, and the address lead to it. */
    async promote() {
      await clients[1].replicaof('NO', 'ONE');
      proxy.retarget(replica.port);
    },
    /** A failover by an operator: connections to the old master stay open. */
    async failOver() {
      await clients[1].replicaof('NO', 'ONE');
      await clients[0].replicaof('127.0.0.1', replica.port);
      proxy.retarget(replica.port);
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.disconnect();
      await proxy[Symbol.asyncDispose]();
      await Promise.all([master.stop(), replica.stop()]);
    },
  };
}

describe('a failover behind one address', () => {
  test('leads to the new master within two seconds while the old one is alive', async () => {
    await using pair = await startPair();
    await using test = createTestLink(pair.url, 'test:', patient);
    await test.become('up');
    expect(await write(test)).toBe('OK');
    await pair.failOver();
    expect(await write(test)).toBe(undefined);
    expect(await test.become('down')).toMatchObject({ reason: 'it is a read-only replica' });
    const { awayMs } = (await test.become('up')) as { awayMs: number };
    expect(awayMs).toBeLessThan(2_000);
    expect(await write(test)).toBe('OK');
    const client = new Redis(pair.replica.url);
    expect(await client.exists('test:key')).toBe(1);
    client.disconnect();
  });

  test('that takes long is followed within two seconds of its end, and reads succeed until then', async () => {
    await using pair = await startPair();
    await using test = createTestLink(pair.url, 'test:', patient);
    await test.become('up');
    await write(test);
    await pair.demote();
    await test.become('down');
    // Long enough for pauses of maximum length.
    const until = performance.now() + 3_500;
    let answered = 0;
    let asked = 0;
    while (performance.now() < until) {
      asked += 1;
      if ((await read(test)) !== undefined) answered += 1;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(answered).toBe(asked);
    // A reconnect in search of the master does not count as a closed connection.
    expect(test.reconnects).toBe(0);
    await pair.promote();
    await test.become('up', 2_000);
  });

  test('is noticed without traffic', async () => {
    await using pair = await startPair();
    await using test = createTestLink(pair.url, 'test:', patient);
    await test.become('up');
    await pair.failOver();
    await test.become('down', 4_000);
    await test.become('up', 2_000);
  });

  test.each([
    ['-READONLY You can not write', 'it is a read-only replica'],
    ['-NOREPLICAS Not enough good replicas', 'it has too few replicas'],
    ['-LOADING Redis is loading the dataset in memory', 'it is loading its data'],
    ['-MASTERDOWN Link with MASTER is down', 'it is a replica that has lost its master'],
    ['-CLUSTERDOWN The cluster is down', 'its cluster is down'],
    ['-UNBLOCKED force unblock', 'it has become a replica'],
    ['-NOAUTH Authentication required', 'it requires a password'],
  ])('with an old master that replies %s is followed', async (answer, reason) => {
    await using redis = await startRedis();
    await using fake = await startFakeRedis(`${answer}\r\n`);
    await using proxy = await startTcpProxy(Number(new URL(fake.url).port));
    await using test = createTestLink(`redis://127.0.0.1:${proxy.port}`, 'test:', patient);
    expect(await test.become('down')).toMatchObject({ reason });
    // The link stays with this server for now, and reconnects at least once a second.
    await vi.waitUntil(() => proxy.accepted >= 3, 5_000);
    proxy.retarget(redis.port);
    await test.become('up', 2_000);
    expect(await write(test)).toBe('OK');
  });

  test.each([
    ['-OOM command not allowed', 'it is out of memory'],
    ['-MISCONF Redis is configured to save', 'it cannot save to its disk'],
    ['-BUSY Redis is busy running a script', 'it is busy with a script'],
    ['-TRYAGAIN Multiple keys request', 'its cluster is moving the requested keys'],
  ])('is not assumed if a master replies %s: the connection stays', async (answer, reason) => {
    await using fake = await startFakeRedis(`${answer}\r\n`);
    await using proxy = await startTcpProxy(Number(new URL(fake.url).port));
    await using test = createTestLink(`redis://127.0.0.1:${proxy.port}`, 'test:', patient);
    expect(await test.become('down')).toMatchObject({ reason });
    await new Promise((resolve) => setTimeout(resolve, 1_800));
    expect(proxy.accepted).toBe(1);
  });
});

describe('the database', () => {
  test('is the configured one, also after a reconnect', async () => {
    await using redis = await startRedis();
    const client = new Redis(redis.url);
    await using proxy = await startTcpProxy(redis.port);
    await using test = createTestLink(`redis://127.0.0.1:${proxy.port}/3`, 'test:', patient);
    await test.become('up');
    for (let k = 0; k < 3; k += 1) {
      expect(await write(test)).toBe('OK');
      proxy.cut();
      await vi.waitUntil(async () => (await write(test)) === 'OK', 5_000);
    }
    expect(await client.dbsize()).toBe(0);
    expect(await client.info('keyspace')).toContain('db3');
    client.disconnect();
  });

  test.each([
    ['does not exist', '/99', [], 'it has no such database'],
    ['the user may not select', '/3', ['+@all', '-select', '~*'], 'its user may not run "select"'],
  ])('that %s is never replaced by database 0', async (_name, path, permissions, reason) => {
    await using redis = await startRedis();
    const client = new Redis(redis.url);
    if (permissions.length > 0) await client.call('ACL', 'SETUSER', 'me', 'on', '>secret', ...permissions);
    const login = permissions.length > 0 ? 'me:secret@' : '';
    await using test = createTestLink(`${redis.url.replace('//', `//${login}`)}${path}`, 'test:', patient);
    expect(await test.become('down')).toMatchObject({ reason });
    for (let k = 0; k < 5; k += 1) {
      expect(await write(test)).toBe(undefined);
      expect(await read(test)).toBe(undefined);
    }
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(await client.dbsize()).toBe(0);
    client.disconnect();
  });
});

describe('a Redis that closes idle connections', () => {
  test('does not close that of the link, which probes often enough', async () => {
    await using redis = await startRedis({ settings: ['--timeout', '5'] });
    await using proxy = await startTcpProxy(redis.port);
    await using test = createTestLink(`redis://127.0.0.1:${proxy.port}`, 'test:', patient);
    await test.become('up');
    await new Promise((resolve) => setTimeout(resolve, 8_000));
    expect(await write(test)).toBe('OK');
    expect([test.changes.length, proxy.accepted, test.degraded.limits]).toEqual([1, 1, 0]);
  });

  test('after a second or two is no outage: the link reconnects at once without a log line', async () => {
    await using redis = await startRedis({ settings: ['--timeout', '1'] });
    await using test = createTestLink(redis.url, 'test:', patient);
    await test.become('up');
    const client = new Redis(redis.url);
    for (let k = 0; k < 4; k += 1) {
      await new Promise((resolve) => setTimeout(resolve, 1_200 + 900 * Math.random()));
      expect(await write(test)).toBe('OK');
      // Like a proxy that closes all connections of this age.
      await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    }
    await vi.waitUntil(() => test.reconnects >= 4, 5_000);
    expect(await write(test)).toBe('OK');
    expect([test.changes.length, test.degraded.limits]).toEqual([1, 0]);
    client.disconnect();
  });

  test('all at once is no outage, and a command meanwhile waits for the next connection', async () => {
    await using redis = await startRedis();
    await using test = createTestLink(redis.url, 'test:', patient);
    await test.become('up');
    const client = new Redis(redis.url);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await vi.waitUntil(() => test.reconnects === 1, { timeout: 5_000, interval: 0 });
    expect(await write(test)).toBe('OK');
    expect([test.changes.length, test.degraded.limits]).toEqual([1, 0]);
    client.disconnect();
  });

  test('and does not come back is an outage', async () => {
    const redis = await startRedis();
    await using test = createTestLink(redis.url, 'test:', patient);
    await test.become('up');
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await redis.stop();
    expect(await test.become('down', 1_000)).toMatchObject({ reason: 'the connection was lost' });
    expect(await write(test)).toBe(undefined);
  });
});

test('a frozen Redis keeps one command waiting, and no later one', async () => {
  await using redis = await startRedis();
  await using test = createTestLink(redis.url, 'test:', 50);
  await test.become('up');
  redis.freeze();
  const startedAt = performance.now();
  expect(await write(test)).toBe(undefined);
  const first = performance.now() - startedAt;
  for (let k = 0; k < 10; k += 1) expect(await read(test)).toBe(undefined);
  expect(performance.now() - startedAt - first).toBeLessThan(10);
  redis.thaw();
  await vi.waitUntil(async () => (await write(test)) === 'OK', 5_000);
});
