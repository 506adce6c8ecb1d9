import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createQueueClient } from '../../../src/redis/connection/queue-client.js';
import { readRedisAddress } from '../../../src/redis/connection/redis-address.js';
import { startRedis } from '../../helpers/redis.js';

let redis: Awaited<ReturnType<typeof startRedis>>;
let admin: Redis;
beforeAll(async () => {
  redis = await startRedis();
  admin = new Redis(redis.url);
  await admin.call('ACL', 'SETUSER', 'me', 'on', '>secret', '+@all', '-select', '~*');
});
afterAll(async () => {
  admin.disconnect();
  await redis[Symbol.asyncDispose]();
});

test.each([
  ['that Redis does not have', () => `${redis.url}/99`],
  ['that its user may not select', () => `${redis.url.replace('//', '//me:secret@')}/3`],
])('a client for a database %s never becomes ready, nor does its duplicate', async (_which, urlOf) => {
  const client = createQueueClient({ address: readRedisAddress(urlOf()) }, 'endless') as Redis;
  const other = client.duplicate();
  const counts = { ready: 0, errors: 0 };
  for (const it of [client, other]) {
    it.on('ready', () => {
      counts.ready += 1;
    });
    it.on('error', () => {
      counts.errors += 1;
    });
    it.set('somewhere', '1').catch(() => undefined);
  }
  // Each of them tries again.
  await vi.waitUntil(() => counts.errors >= 6, { timeout: 10_000 });
  for (const it of [client, other]) it.disconnect();
  expect([counts.ready, await admin.dbsize()]).toEqual([0, 0]);
});

test('a client for another database writes there', async () => {
  const client = createQueueClient({ address: readRedisAddress(`${redis.url}/3`) }, 'endless') as Redis;
  const other = client.duplicate();
  await Promise.all([client.set('one', '1'), other.set('two', '2')]);
  expect(await admin.dbsize()).toBe(0);
  await admin.select(3);
  expect(await admin.dbsize()).toBe(2);
  await admin.select(0);
  for (const it of [client, other]) it.disconnect();
});
