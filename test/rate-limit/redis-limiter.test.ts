import { afterAll, expect, test, vi } from 'vitest';
import type { Limiter } from '../../src/rate-limit/limiter.js';
import { createMemoryLimiter } from '../../src/rate-limit/memory-limiter.js';
import { createRedisLimiter } from '../../src/rate-limit/redis-limiter.js';
import { createSharedLimiter } from '../../src/rate-limit/shared-limiter.js';
import { readRedisAddress } from '../../src/redis/connection/redis-address.js';
import { createRedisLink, type RedisLink } from '../../src/redis/redis-link.js';
import { describeLimiter } from '../contracts/limiter.js';
import { startRedis } from '../helpers/redis.js';
import { openSharedRedis } from '../helpers/shared-redis.js';

const shared = openSharedRedis();
const links: RedisLink[] = [];
/** How soon Redis answers is another matter: here it has the time that a busy machine takes. */
const patientMs = 2_000;
afterAll(async () => {
  await Promise.all(links.map((link) => link.close()));
  await shared[Symbol.asyncDispose]();
});

async function openLink(url = shared.url) {
  let degraded = 0;
  const link = createRedisLink(readRedisAddress(url), {
    probeKey: `${shared.prefix}{limit}:probe`,
    answerTimeoutMs: patientMs,
    onChange: () => undefined,
    onRefusal: () => undefined,
    onRefused: () => undefined,
    onReconnect: () => undefined,
    onDegraded: () => {
      degraded += 1;
    },
  });
  links.push(link);
  await vi.waitFor(() => expect(link.state).toBe('up'), { timeout: 15_000 });
  return { link, degraded: () => degraded };
}

/** Nobody may be asked in its place. */
const unasked: Limiter = {
  take: () => {
    throw new Error('Redis did not answer');
  },
  close: () => undefined,
};
const { link } = await openLink();
const redis = createRedisLimiter(link, shared.prefix);
const minute = { max: 3, windowMs: 60_000 };
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

describeLimiter('in Redis', () => ({
  limiter: createSharedLimiter(redis, `${Math.random()}:`, unasked),
  now: () => performance.now(),
  wait: pause,
  // Redis counts by the moment at which its turn began: on a busy machine a while before it read the question.
  windowMs: 1_500,
  slackMs: 50,
}));

test('the requests of one turn ask Redis once, and one key is one entry', async () => {
  const asked: string[] = [];
  const counting = createRedisLimiter(
    {
      ask: (part, command) => {
        asked.push(part);
        return link.ask(part, command);
      },
      recordDegraded: () => undefined,
    },
    `${shared.prefix}turn:`,
  );
  const five = { max: 5, windowMs: 60_000 };
  const verdicts = await Promise.all(
    Array.from({ length: 24 }, (_, k) => counting.take(`client-${k % 3}`, five, 1)),
  );
  expect(asked).toEqual(['limits']);
  expect(verdicts.filter((it) => it?.isAdmitted)).toHaveLength(15);
  expect(await shared.client.llen(`${shared.prefix}turn:client-0`)).toBe(1);
});

test('several processes share one limit exactly, whatever their turns', async () => {
  const others = await Promise.all(Array.from({ length: 4 }, () => openLink()));
  const limiters = others.map((it) => createRedisLimiter(it.link, `${shared.prefix}sum:`));
  const limit = { max: 50, windowMs: 60_000 };
  const verdicts = await Promise.all(
    Array.from({ length: 400 }, async (_, k) => {
      await pause(k % 7);
      return limiters[k % 4]?.take('one', limit, 1);
    }),
  );
  expect(verdicts.filter((it) => it?.isAdmitted)).toHaveLength(50);
});

test('a log leaves Redis by itself, and not before its window is over', async () => {
  await redis.take('leaving', minute, 1);
  const ms = await shared.client.pttl(`${shared.prefix}leaving`);
  expect(ms).toBeGreaterThan(60_000);
  expect(ms).toBeLessThanOrEqual(121_000);
  const short = { max: 3, windowMs: 20 };
  await redis.take('short', short, 1);
  await pause(60);
  // What has left is cut off when the id comes again.
  expect((await redis.take('short', short, 1))?.remaining).toBe(2);
  expect(await shared.client.llen(`${shared.prefix}short`)).toBe(1);
});

test('a clock of Redis that was set back shuts nobody out for longer than a window, nor lets more in', async () => {
  const key = `${shared.prefix}back`;
  const inAnHour = (Date.now() + 3_600_000) * 1_000;
  const entry = Buffer.alloc(24);
  entry.writeDoubleLE(inAnHour, 0);
  entry.writeDoubleLE(7, 8);
  entry.writeDoubleLE(9, 16);
  await shared.client.rpush(key, entry);
  const first = await redis.take('back', minute, 1);
  expect(first).toMatchObject({ isAdmitted: true, remaining: 0, resetMs: 60_000 });
  const second = await redis.take('back', minute, 1);
  expect(second?.isAdmitted).toBe(false);
  expect(second?.resetMs).toBeLessThanOrEqual(60_000);
});

test('what somebody else has put in the place of a log gives way', async () => {
  await shared.client.set(`${shared.prefix}text`, 'a text');
  await shared.client.rpush(`${shared.prefix}list`, 'an entry');
  for (const id of ['text', 'list']) {
    const verdicts = await Promise.all(Array.from({ length: 4 }, () => redis.take(id, minute, 1)));
    expect(verdicts.map((it) => it?.isAdmitted)).toEqual([true, true, true, false]);
  }
});

test('a flood of one client asks Redis once a second', async () => {
  let asked = 0;
  let moment = 0;
  const counting = createRedisLimiter(
    {
      ask: (part, command) => {
        asked += 1;
        return link.ask(part, command);
      },
      recordDegraded: () => undefined,
    },
    `${shared.prefix}flood:`,
  );
  const limiter = createSharedLimiter(counting, '', unasked, () => moment);
  const askTimes = async (times: number) => {
    for (let k = 0; k < times; k += 1) await limiter.take('one', minute, 1);
  };
  await askTimes(500);
  expect(asked).toBe(4);
  moment += 1_000;
  const refused = await limiter.take('one', minute, 1);
  await askTimes(500);
  expect(asked).toBe(5);
  moment += 900;
  const later = await limiter.take('one', minute, 1);
  expect(refused.resetMs - later.resetMs).toBeCloseTo(900);
  // Another limit is another question.
  expect((await limiter.take('one', { ...minute, max: 9 }, 1)).isAdmitted).toBe(true);
});

test('while Redis is away each process holds the limit alone, and goes back by itself', async () => {
  const server = await startRedis();
  const { link: own, degraded } = await openLink(server.url);
  let moment = 0;
  const limiter = createSharedLimiter(
    createRedisLimiter(own, shared.prefix),
    'away:',
    createMemoryLimiter({ maxBytes: 1_000_000 }),
    () => moment,
  );
  const askTimes = async (times: number) => {
    let admitted = 0;
    for (let k = 0; k < times; k += 1) admitted += (await limiter.take('a', minute, 1)).isAdmitted ? 1 : 0;
    return admitted;
  };
  expect(await askTimes(5)).toBe(3);
  await server.stop();
  // What Redis has said last holds for a second more.
  expect(await askTimes(5)).toBe(0);
  expect(degraded()).toBe(0);
  moment += 1_000;
  // From Redis three in this window, and from this process three more, however often Redis goes.
  expect(await askTimes(50)).toBe(3);
  expect(degraded()).toBeGreaterThan(0);
  const known = degraded();
  await using again = await startRedis({ port: server.port });
  await vi.waitFor(() => expect(own.state).toBe('up'), { timeout: 15_000 });
  expect(await askTimes(5)).toBe(3);
  expect(degraded()).toBe(known);
  expect(again.port).toBe(server.port);
});
