import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createLoopClock } from '../../src/http/arrival-clock.js';

/** Much longer than the pauses of this process on a busy machine, which the clock counts too. */
const heldMs = 600;

const block = (ms: number) => {
  const until = performance.now() + ms;
  while (performance.now() < until);
};

test('a request that is read after a blocked turn counts as arrived before that turn', async () => {
  const clock = createLoopClock();
  await sleep(20);
  clock.reset();
  block(heldMs);
  const waitedMs = performance.now() - clock.arrivedAt();
  expect(waitedMs).toBeGreaterThanOrEqual(heldMs - 1);
  // The turn is over: the next request has not waited.
  await sleep(5);
  expect(performance.now() - clock.arrivedAt()).toBeLessThan(heldMs / 2);
  clock.close();
});

test('a request that is read by an idle loop has not waited', async () => {
  const clock = createLoopClock();
  clock.reset();
  await sleep(2 * heldMs);
  expect(performance.now() - clock.arrivedAt()).toBeLessThan(heldMs);
  clock.close();
});

test('the first request of a connection that was accepted late has waited as long as its connection', async () => {
  const clock = createLoopClock();
  const [late, other] = [{}, {}];
  await sleep(20);
  clock.reset();
  block(heldMs);
  clock.accept(late);
  await new Promise((resolve) => setImmediate(resolve));
  expect(performance.now() - clock.arrivedAt(late)).toBeGreaterThanOrEqual(heldMs - 1);
  expect(performance.now() - clock.arrivedAt(other)).toBeLessThan(heldMs / 2);
  // A request that comes later on the same connection is like any other.
  await sleep(20);
  expect(performance.now() - clock.arrivedAt(late)).toBeLessThan(heldMs / 2);
  clock.close();
});

test('connections that are accepted in consecutive turns have the arrival time of the first', async () => {
  const clock = createLoopClock();
  const [first, second, third] = [{}, {}, {}];
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  await sleep(20);
  clock.reset();
  block(heldMs);
  clock.accept(first);
  await turn();
  clock.accept(second);
  await turn();
  expect(performance.now() - clock.arrivedAt(second)).toBeGreaterThanOrEqual(heldMs - 1);
  await sleep(20);
  clock.accept(third);
  await turn();
  expect(performance.now() - clock.arrivedAt(third)).toBeLessThan(heldMs / 2);
  clock.close();
});
