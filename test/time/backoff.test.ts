import { expect, test } from 'vitest';
import { pauseAfter } from '../../src/time/backoff.js';

test.each([
  [1, 0],
  [2, 100],
  [3, 200],
  [4, 400],
  [8, 6_400],
  [9, 10_000],
  [10_000, 10_000],
])('after %i deaths in a row the next worker starts after %i ms', (deaths, ms) => {
  expect(pauseAfter(deaths)).toBe(ms);
});
