import { afterAll, describe, expect, test, vi } from 'vitest';
import { createRedisLimiter } from '../../src/rate-limit/redis-limiter.js';
import { entry } from '../helpers/log-entry.js';
import { createTestLink } from '../helpers/redis-link.js';
import { openSharedRedis } from '../helpers/shared-redis.js';

const shared = openSharedRedis();
const opened = createTestLink(shared.url, shared.prefix, 2_000);
await opened.become('up');
afterAll(async () => {
  await opened.link.close();
  await shared[Symbol.asyncDispose]();
});
const limiter = createRedisLimiter(opened.link, shared.prefix);
const minute = { max: 3, windowMs: 60_000 };

// The script counts by Redis's clock, which may be another machine's.
const [seconds = 0, microseconds = 0] = (await shared.client.time()).map(Number);
const readAt = performance.now();
const now = () => Math.round(1e6 * seconds + microseconds + 1_000 * (performance.now() - readAt));
const sound = () => entry(now() - 1_000_000, 0, 1);
const notNumbers = [Number.NaN, Infinity, -Infinity, -1, 0.5, 1e300, 2 ** 60, -0.5];
const forgeries: readonly (readonly [string, () => readonly (Buffer | string)[]])[] = [
  ...notNumbers.flatMap(
    (value) =>
      [
        [`a moment of ${value}`, () => [entry(value, 0, 3)]],
        [`${value} before`, () => [entry(now(), value, 3)]],
        [`${value} with these`, () => [entry(now(), 0, value)]],
        [`a moment of ${value} behind a sound entry`, () => [sound(), entry(value, 1, 3)]],
        [`a moment of ${value} before a sound entry`, () => [entry(value, 0, 1), entry(now(), 1, 3)]],
      ] as const,
  ),
  ['an empty entry', () => ['']],
  ['a short entry', () => ['a']],
  ['a long entry', () => [Buffer.alloc(25)]],
  ['an entry of 1 MB', () => [Buffer.alloc(1_048_576, 1)]],
  ['a short entry behind a sound one', () => [sound(), 'short']],
  ['an entry of ones', () => [Buffer.alloc(24, 0xff)]],
  ['no more after it than before', () => [entry(now(), 3, 3)]],
  ['fewer after it than before', () => [entry(now(), 9, 3)]],
  ['an oldest entry after the newest', () => [entry(now() + 1e12, 0, 1), entry(now(), 1, 3)]],
  ['an oldest count beyond the newest', () => [entry(now() - 1_000_000, 0, 9), entry(now(), 1, 3)]],
];

describe('a forged log of a limit', () => {
  test.each(forgeries)('with %s is replaced by a new one', async (name, forge) => {
    const id = `forged ${name}`;
    await shared.client.rpush(shared.prefix + id, ...forge());
    const results = await Promise.all(Array.from({ length: 4 }, () => limiter.take(id, minute, 1)));
    expect(results.map((it) => it?.isAdmitted)).toEqual([true, true, true, false]);
    for (const result of results) {
      expect(result?.resetMs).toBeGreaterThan(0);
      expect(result?.resetMs).toBeLessThanOrEqual(60_000);
    }
    expect(await shared.client.llen(shared.prefix + id)).toBe(1);
    expect(await shared.client.pttl(shared.prefix + id)).toBeGreaterThan(60_000);
    expect(opened.degraded.limits).toBe(0);
  });

  test.each(['short', entry(Number.NaN, 1, 2), entry(now(), 1, Number.NaN), entry(now() + 1e12, 1, 2)])(
    'with a damaged entry in the middle (%j) is replaced when the script reads that entry',
    async (middle) => {
      const id = `midst ${String(middle)}`;
      const limit = { max: 9, windowMs: 60_000 };
      await shared.client.rpush(shared.prefix + id, sound(), middle, entry(now(), 2, 9));
      // The time until a place for cost 3 is free comes from the third entry.
      const result = await limiter.take(id, limit, 3);
      expect(result).toMatchObject({ isAdmitted: true, remaining: 6, resetMs: 60_000 });
    },
  );

  test('with a damaged entry among expired ones is replaced', async () => {
    const old = now() - 120_000_000;
    const log = [entry(old, 0, 1), 'short', entry(Number.NaN, 1, 2), entry(old + 1, 2, 3)];
    await shared.client.rpush(`${shared.prefix}left`, ...log);
    expect(await limiter.take('left', minute, 1)).toMatchObject({ isAdmitted: true, remaining: 2 });
  });

  test('does not affect the counts of other clients in the same turn', async () => {
    await shared.client.rpush(`${shared.prefix}bad`, entry(Number.NaN, 0, 3));
    await shared.client.set(`${shared.prefix}text`, 'text');
    const ids = ['good', 'bad', 'text', 'good', 'bad', 'text'];
    const results = await Promise.all(ids.map((id) => limiter.take(id, { max: 1, windowMs: 60_000 }, 1)));
    expect(results.map((it) => it?.isAdmitted)).toEqual([true, true, true, false, false, false]);
  });
});

test('a reply that the script cannot return gives no result and counts as degraded', async () => {
  const replies = [
    [0, 0, -1, 5],
    [2, 0, 1, 1],
    [1, 4, 1, 1],
    [1, 2, 1, 6e7 + 1],
    [1, 2, Number.NaN, 1],
    [1, 2, 1],
  ];
  for (const reply of replies) {
    const recordDegraded = vi.fn();
    const odd = createRedisLimiter({ ask: async () => reply as never, recordDegraded: recordDegraded }, '');
    expect(await odd.take('id', minute, 1)).toBe(undefined);
    expect(recordDegraded).toHaveBeenCalledOnce();
  }
});
