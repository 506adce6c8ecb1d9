import { expect, test } from 'vitest';
import { RunTimes } from '../../../src/inference/batching/run-times.js';

const create = () => new RunTimes({ rows: 1, ms: 2 }, { rows: 11, ms: 12 });

test('the runs measured at load give a fixed time per run and a time per row', () => {
  const times = create();
  expect([1, 6, 11].map((rows) => times.expectMs(rows))).toEqual([2, 7, 12]);
  expect(times.fastestMs).toBe(2);
  expect(times.spreadMs(11)).toBe(0);
});

test('the estimate follows runs that become slower, and its spread follows their deviation', () => {
  const times = create();
  for (let k = 0; k < 60; k += 1) times.observe({ rows: 1, ms: 6 });
  expect(times.expectMs(1)).toBeCloseTo(6, 1);
  expect(times.expectMs(11)).toBeCloseTo(36, 0);
  expect(times.spreadMs(1)).toBeLessThan(0.2);
  times.observe({ rows: 1, ms: 18 });
  expect(times.spreadMs(1)).toBeGreaterThan(2);
  expect(times.fastestMs).toBe(2);
});

test('one delayed run changes the estimate only a little', () => {
  const times = create();
  times.observe({ rows: 1, ms: 60_000 });
  expect(times.expectMs(1)).toBeLessThan(5);
  times.observe({ rows: 1, ms: 1 });
  expect(times.fastestMs).toBe(1);
});

test('the time per row is zero if a full batch is no slower than one row', () => {
  const times = new RunTimes({ rows: 1, ms: 3 }, { rows: 256, ms: 2 });
  expect(times.expectMs(1)).toBe(times.expectMs(256));
});
