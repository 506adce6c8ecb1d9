import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createLoopClock } from '../../src/monitoring/loop-clock.js';

const block = (ms: number) => {
  const until = performance.now() + ms;
  while (performance.now() < until);
};

test('a request that is seen after the thread was held up may have come before that', async () => {
  const clock = createLoopClock();
  await sleep(20);
  clock.reset();
  block(150);
  const waitedMs = performance.now() - clock.arrivedAt();
  expect(waitedMs).toBeGreaterThanOrEqual(149);
  // The turn is over: what comes next has waited for nothing.
  await sleep(5);
  expect(performance.now() - clock.arrivedAt()).toBeLessThan(100);
  clock.close();
});

test('a loop that was idle has let nobody wait', async () => {
  const clock = createLoopClock();
  clock.reset();
  await sleep(300);
  expect(performance.now() - clock.arrivedAt()).toBeLessThan(150);
  clock.close();
});
