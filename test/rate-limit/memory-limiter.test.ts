import { expect, test } from 'vitest';
import { createMemoryLimiter } from '../../src/rate-limit/memory-limiter.js';
import { describeLimiter } from '../contracts/limiter.js';
import { createRandom } from '../helpers/onnx/random.js';

/** A clock that stands still until somebody waits. */
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

const minute = 60_000;

test('a place is never taken for longer than a window, whatever the fraction of the moment', async () => {
  const random = createRandom(5);
  let moment = 0;
  const limiter = createMemoryLimiter({ maxBytes: 1_000_000, now: () => moment });
  for (let k = 0; k < 1_000; k += 1) {
    moment += (random() * 1_000) / 3;
    const { resetMs } = await limiter.take(`client-${k}`, { max: 1, windowMs: minute }, 1);
    expect(resetMs).toBe(minute);
  }
});

test('a burst at the edge of a minute and the next one share one limit', async () => {
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

test('a large limit is exact too, as its log grows', async () => {
  const { now, wait } = createClock();
  const limiter = createMemoryLimiter({ maxBytes: 1_000_000, now });
  const limit = { max: 5_000, windowMs: minute };
  let admitted = 0;
  for (let k = 0; k < 12_000; k += 1) {
    if ((await limiter.take('a', limit, 1)).isAdmitted) admitted += 1;
    await wait(5);
  }
  // 12,000 in 60 s: the first 5,000 fill it for 25 s, and each that leaves after 60 s makes room for one.
  expect(admitted).toBe(5_000);
  // By now the first three have left.
  await wait(10);
  expect(await limiter.take('a', limit, 1)).toMatchObject({ isAdmitted: true, remaining: 2 });
});

test('a flood of addresses takes no more memory than was said, and those that came last are still held', async () => {
  const { now } = createClock();
  const limiter = createMemoryLimiter({ maxBytes: 400_000, now });
  const limit = { max: 1, windowMs: minute };
  const isAdmitted = async (id: string) => (await limiter.take(id, limit, 1)).isAdmitted;
  expect([await isAdmitted('first'), await isAdmitted('first')]).toEqual([true, false]);
  for (let k = 0; k < 100_000; k += 1) await limiter.take(`flood-${k}`, limit, 1);
  expect(await isAdmitted('flood-99999')).toBe(false);
  expect(await isAdmitted('flood-99100')).toBe(false);
  // 372 bytes each: the first of 100,000 was forgotten long ago.
  expect(await isAdmitted('first')).toBe(true);
});

test('who keeps coming is not forgotten for those who come once', async () => {
  const { now } = createClock();
  const limiter = createMemoryLimiter({ maxBytes: 400_000, now });
  const limit = { max: 1, windowMs: minute };
  await limiter.take('steady', limit, 1);
  for (let k = 0; k < 10_000; k += 1) {
    await limiter.take(`flood-${k}`, limit, 1);
    if (k % 500 === 0) expect((await limiter.take('steady', limit, 1)).isAdmitted).toBe(false);
  }
});
