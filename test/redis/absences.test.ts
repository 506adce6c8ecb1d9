import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { startFakeRedis } from '../helpers/fake-redis.js';
import { findFreePort } from '../helpers/free-port.js';
import { startRedis } from '../helpers/redis.js';
import { createTestLink, type TestLink } from '../helpers/redis-link.js';

interface Absent extends AsyncDisposable {
  readonly url: string;
  /** Makes it serve all. */
  heal(): Promise<unknown>;
}

/** A real Redis with settings under which it does not serve, and what ends that. */
async function startAbsent(
  settings: readonly string[],
  heal: (client: Redis) => Promise<unknown>,
  { login = '', password = '' } = {},
): Promise<Absent> {
  const redis = await startRedis({ settings });
  const client = new Redis(redis.url, { ...(password !== '' && { password }) });
  await client.ping().catch(() => undefined);
  return {
    url: redis.url.replace('//', `//${login}`),
    heal: () => heal(client),
    async [Symbol.asyncDispose]() {
      client.disconnect();
      await redis.stop();
    },
  };
}

async function startFake(answer: string): Promise<Absent> {
  const fake = await startFakeRedis(answer);
  return {
    url: fake.url,
    heal: async () => fake.heal(),
    [Symbol.asyncDispose]: () => fake[Symbol.asyncDispose](),
  };
}

const read = ({ link }: TestLink) => link.ask('cache', (redis) => redis.getrange('absent', 0, 10), 'read');
const write = ({ link }: TestLink) => link.ask('limits', (redis) => redis.set('test:key', 'x', 'PX', 10_000));

const absences: readonly (readonly [string, string, { canRead: boolean }, () => Promise<Absent>])[] = [
  [
    'out of memory',
    'it is out of memory',
    { canRead: true },
    () => startAbsent(['--maxmemory', '100kb'], async (client) => client.config('SET', 'maxmemory', '0')),
  ],
  [
    'a read-only replica',
    'it is a read-only replica',
    { canRead: true },
    async () =>
      startAbsent(['--replicaof', '127.0.0.1', String(await findFreePort())], (client) =>
        client.replicaof('NO', 'ONE'),
      ),
  ],
  ['loading', 'it is loading its data', { canRead: false }, () => startFake('-LOADING Redis is loading\r\n')],
  [
    'a cluster that sends elsewhere',
    'it is a cluster, and sends elsewhere: REDIS_URL has to begin with redis+cluster://',
    { canRead: false },
    () => startFake('-MOVED 3999 127.0.0.1:6381\r\n'),
  ],
  [
    'a cluster that is down',
    'its cluster is down',
    { canRead: false },
    () =>
      startAbsent(['--cluster-enabled', 'yes'], (client) =>
        client.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16383),
      ),
  ],
  [
    'one that wants a password',
    'it wants a password',
    { canRead: false },
    () =>
      startAbsent(['--requirepass', 'right'], (client) => client.config('SET', 'requirepass', ''), {
        password: 'right',
      }),
  ],
  [
    'one that wants another password',
    'the user or the password is wrong',
    { canRead: false },
    () =>
      startAbsent(['--requirepass', 'right'], (client) => client.config('SET', 'requirepass', 'canary'), {
        login: ':canary@',
        password: 'right',
      }),
  ],
  [
    'full of clients',
    'it has too many clients',
    { canRead: false },
    () => startAbsent(['--maxclients', '1'], (client) => client.config('SET', 'maxclients', '10')),
  ],
  [
    'no Redis',
    'what answers there is no Redis',
    { canRead: false },
    () => startFake('HTTP/1.1 400 Bad Request\r\n\r\n'),
  ],
  ['silent', 'it does not answer in time', { canRead: false }, () => startFake('')],
];

describe.concurrent('a Redis that does not serve', () => {
  test.each(absences)('is gone on without while it is %s', async (name, reason, { canRead }, start) => {
    await using absent = await start();
    // One that answers at all has longer than a busy machine lets it wait.
    await using test = createTestLink(absent.url, 'test:', name === 'silent' ? 50 : 5_000);
    const down = await test.become('down');
    expect(down).toMatchObject({ reason });
    expect(JSON.stringify(down)).not.toContain('canary');
    expect(test.link.state).toBe('down');
    for (let k = 0; k < 20; k += 1) {
      expect(await write(test)).toBe(undefined);
      expect(await read(test)).toBe(canRead ? '' : undefined);
    }
    expect(test.degraded.limits).toBe(20);
    await absent.heal();
    await test.become('up', 12_000);
    expect(await write(test)).toBe('OK');
    expect(test.changes.map(({ state }) => state)).toEqual(['down', 'up']);
  });
});
