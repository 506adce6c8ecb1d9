import { expect, test } from 'vitest';
import { createFailureLimit } from '../../src/auth/failure-limit.js';

function createTest() {
  let now = 1_000_000;
  const limit = createFailureLimit(() => now);
  const fail = (client: string, times = 1) => {
    for (let k = 0; k < times; k += 1) limit.record(client);
  };
  return { limit, fail, wait: (ms: number) => (now += ms) };
}

test('a client is blocked after 20 failures until the first of them is a minute old', () => {
  const { limit, fail, wait } = createTest();
  fail('a');
  wait(10_000);
  fail('a', 18);
  expect(limit.blockedMs('a')).toBe(undefined);
  fail('a');
  expect(limit.blockedMs('a')).toBe(50_000);
  expect(limit.blockedMs('b')).toBe(undefined);
  wait(49_999);
  expect(limit.blockedMs('a')).toBe(1);
  wait(1);
  expect(limit.blockedMs('a')).toBe(undefined);
  fail('a');
  expect(limit.blockedMs('a')).toBe(10_000);
});

test('a client cannot fail more than 20 times in any period of a minute', () => {
  const { limit, fail, wait } = createTest();
  const moments: number[] = [];
  for (let k = 0, now = 0; k < 5_000; k += 1) {
    const step = (k * 7_919) % 1_300;
    now += step;
    wait(step);
    if (limit.blockedMs('a') !== undefined) continue;
    fail('a');
    moments.push(now);
  }
  const maxInAMinute = Math.max(
    ...moments.map((from) => moments.filter((it) => it >= from && it < from + 60_000).length),
  );
  expect(maxInAMinute).toBe(20);
});

test('beyond 10,000 clients, the one whose last failure is the oldest is forgotten', () => {
  const { limit, fail } = createTest();
  fail('a', 20);
  fail('b', 20);
  for (let k = 0; k < 9_999; k += 1) fail(`c${k}`);
  expect(limit.blockedMs('a')).toBe(undefined);
  expect(limit.blockedMs('b')).toBeGreaterThan(0);
});
