import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Heartbeat } from '../../src/cluster/heartbeat.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Watches a worker that answers at once, unless it is stuck. */
function watchWorker() {
  const worker = { isStuck: false, asked: 0, lost: 0 };
  const watch = new Heartbeat(10_000, {
    onAsk: () => {
      worker.asked += 1;
      if (!worker.isStuck) watch.hear();
    },
    onLost: () => {
      worker.lost += 1;
    },
  });
  watch.start();
  return { worker, watch };
}

test('a worker that answers is asked ten times in each silence time-out, until the heartbeat stops', () => {
  const { worker, watch } = watchWorker();
  vi.advanceTimersByTime(100_000);
  expect(worker).toEqual({ isStuck: false, asked: 100, lost: 0 });
  expect(watch.isSilent).toBe(false);
  watch.stop();
  vi.advanceTimersByTime(100_000);
  expect(worker.asked).toBe(100);
});

test('a stuck worker is silent after three questions, and reported lost once after ten', () => {
  const { worker, watch } = watchWorker();
  vi.advanceTimersByTime(5_000);
  const heardAt = performance.now();
  worker.isStuck = true;
  vi.advanceTimersByTime(2_000);
  expect(watch.isSilent).toBe(false);
  vi.advanceTimersByTime(1_000);
  expect(watch.isSilent).toBe(true);
  expect(watch.lastSign).toBe(heardAt);
  vi.advanceTimersByTime(7_999);
  expect(worker.lost).toBe(0);
  vi.advanceTimersByTime(1);
  expect(worker.lost).toBe(1);
  vi.advanceTimersByTime(100_000);
  expect(worker).toMatchObject({ asked: 15, lost: 1 });
});

test('any message from the worker resets the count of unanswered questions', () => {
  const { worker, watch } = watchWorker();
  worker.isStuck = true;
  vi.advanceTimersByTime(9_000);
  watch.hear();
  expect(watch.isSilent).toBe(false);
  expect(watch.lastSign).toBe(performance.now());
  vi.advanceTimersByTime(10_000);
  expect(worker.lost).toBe(0);
  watch.stop();
});
