import { expect, test } from 'vitest';
import { ReconnectPace } from '../../src/redis/reconnect-pace.js';

test('the first attempt to reconnect has no delay, and later delays double up to a second', () => {
  const pace = new ReconnectPace();
  const delays = Array.from({ length: 10 }, () => pace.next());
  expect(delays[0]).toBe(0);
  for (const [k, maxMs] of [50, 100, 200, 400, 800, 1_000, 1_000, 1_000, 1_000].entries()) {
    expect(delays[k + 1]).toBeGreaterThanOrEqual(maxMs / 2);
    expect(delays[k + 1]).toBeLessThanOrEqual(maxMs);
  }
  pace.hurry();
  expect(pace.next()).toBe(0);
  expect(pace.next()).toBeGreaterThanOrEqual(500);
  pace.reset();
  expect(pace.next()).toBe(0);
});
