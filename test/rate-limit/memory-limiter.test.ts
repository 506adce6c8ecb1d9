import { expect, test } from 'vitest';
import { CostWindow } from '../../src/rate-limit/cost-window.js';
import { createMemoryLimiter } from '../../src/rate-limit/memory-limiter.js';
import { SlidingWindow } from '../../src/rate-limit/sliding-window.js';
import { describeLimiter } from '../contracts/limiter.js';
import { createRandom } from '../helpers/onnx/random.js';

/** A clock that only `wait` advances. */
function createClock() {
  let time = 1_000.25;
  return {
    now: () => time,
    wait: async (ms: number) => {
      time += ms;
    },
  };
}

describeLimiter('in memory', () => {
  const clock = createClock();
  const limiter = createMemoryLimiter({ maxBytes: 1_000_000, now: clock.now });
  return { limiter, ...clock, windowMs: 60_000, slackMs: 0.001 };
});

describeLimiter('in memory, for large costs', () => {
  const clock = createClock();
  const limiter = createMemoryLimiter({
    maxBytes: 1_000_000,
    createWindow: () => new CostWindow(),
    now: clock.now,
  });
  return { limiter, ...clock, windowMs: 60_000, slackMs: 0.001 };
});

const minute = 60_000;

test('a window for large costs answers as one that has an entry for each place', () => {
  const random = createRandom(11);
  const [places, costs] = [new SlidingWindow(), new CostWindow()];
  let moment = 0;
  for (let step = 0; step < 5_000; step += 1) {
    moment += random() * 10;
    for (const it of [places, costs]) it.expire(moment - 200);
    const cost = 1 + Math.floor(random() ** 4 * 300);
    for (const it of [places, costs]) it.add(moment, cost);
    expect(costs.used).toBe(places.used);
    const place = 1 + Math.floor(random() * costs.used);
    for (const count of [1, place, costs.used]) expect(costs.momentOf(count)).toBe(places.momentOf(count));
  }
});

test('a million rows take no more memory than one', async () => {
  const limiter = createMemoryLimiter({ maxBytes: 1_000, createWindow: () => new CostWindow() });
  const limit = { max: 1_000_000, windowMs: minute };
  // With a place for each row, the log of the first client would be dropped.
  expect(await limiter.take('a', limit, 999_999)).toMatchObject({ isAdmitted: true, remaining: 1 });
  expect(await limiter.take('b', limit, 999_999)).toMatchObject({ isAdmitted: true, remaining: 1 });
  expect(await limiter.take('a', limit, 2)).toMatchObject({ isAdmitted: false, remaining: 1 });
});

test('a place is free again after exactly one window, whatever the fraction of the moment', async () => {
  const random = createRandom(5);
  let moment = 0;
  const limiter = createMemoryLimiter({ maxBytes: 1_000_000, now: () => moment });
  for (let k = 0; k < 1_000; k += 1) {
    moment += (random() * 1_000) / 3;
    const { resetMs } = await limiter.take(`client-${k}`, { max: 1, windowMs: minute }, 1);
    expect(resetMs).toBe(minute);
  }
});

test('a burst before the end of a minute and one after it share one limit', async () => {
  const { now, wait } = createClock();
  const limiter = createMemoryLimiter({ maxBytes: 1_000_000, now });
  const limit = { max: 100, windowMs: minute };
  const burst = async () => {
    let admitted = 0;
    for (let k = 0; k < 200; k += 1) admitted += (await limiter.take('a', limit, 1)).isAdmitted ? 1 : 0;
    return admitted;
  };
  await wait(minute - 1_000.25 - 5);
  const before = await burst();
  await wait(10);
  expect([before, await burst()]).toEqual([100, 0]);
  await wait(minute - 10.001);
  expect(await burst()).toBe(0);
  await wait(0.001);
  expect(await burst()).toBe(100);
});

test('a large limit stays exact while its log grows', async () => {
  const { now, wait } = createClock();
  const limiter = createMemoryLimiter({ maxBytes: 1_000_000, now });
  const limit = { max: 5_000, windowMs: minute };
  let admitted = 0;
  for (let k = 0; k < 12_000; k += 1) {
    if ((await limiter.take('a', limit, 1)).isAdmitted) admitted += 1;
    await wait(5);
  }
  // 12,000 requests in 60 s: the first 5,000 fill the limit in 25 s, and the first of them expires after 60 s.
  expect(admitted).toBe(5_000);
  // The first three have expired now.
  await wait(10);
  expect(await limiter.take('a', limit, 1)).toMatchObject({ isAdmitted: true, remaining: 2 });
});

test('a flood of addresses stays within `maxBytes`, and the newest addresses keep their counts', async () => {
  const { now } = createClock();
  const limiter = createMemoryLimiter({ maxBytes: 400_000, now });
  const limit = { max: 1, windowMs: minute };
  const isAdmitted = async (id: string) => (await limiter.take(id, limit, 1)).isAdmitted;
  expect([await isAdmitted('first'), await isAdmitted('first')]).toEqual([true, false]);
  for (let k = 0; k < 100_000; k += 1) await limiter.take(`flood-${k}`, limit, 1);
  expect(await isAdmitted('flood-99999')).toBe(false);
  expect(await isAdmitted('flood-99100')).toBe(false);
  // A log takes 372 bytes, so that of the first client was dropped long ago.
  expect(await isAdmitted('first')).toBe(true);
});

test('a client that keeps sending requests keeps its count during a flood of other clients', async () => {
  const { now } = createClock();
  const limiter = createMemoryLimiter({ maxBytes: 400_000, now });
  const limit = { max: 1, windowMs: minute };
  await limiter.take('steady', limit, 1);
  for (let k = 0; k < 10_000; k += 1) {
    await limiter.take(`flood-${k}`, limit, 1);
    if (k % 500 === 0) expect((await limiter.take('steady', limit, 1)).isAdmitted).toBe(false);
  }
});
