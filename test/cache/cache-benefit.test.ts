import { expect, test } from 'vitest';
import { CacheBenefit } from '../../src/cache/cache-benefit.js';

/** Rows of the sample for one decision. */
const lookups = 256;

interface Traffic {
  /** Hits among 100 lookups. */
  readonly found: number;
  readonly runUs: number;
  readonly lookupUs?: number;
}

/** The traffic of one decision. */
function decide(benefit: CacheBenefit, { found, runUs, lookupUs = 3 }: Traffic): string {
  const timing = {
    queueMs: 0,
    runMs: (10 * runUs) / 1_000,
    endedAt: 0,
    batchRows: 10,
    batchIndex: 0,
    ownRows: 1,
  };
  for (let k = 0; k < lookups; k += 1) {
    if (k % 100 >= found) benefit.observeRun(timing, 0.002);
    benefit.observeLookup(lookupUs / 1_000, k % 100 < found);
  }
  return benefit.state;
}

test('a cache without hits is set aside, and is used again once rows repeat', () => {
  const benefit = new CacheBenefit(false);
  expect(benefit.state).toBe('in_use');
  expect(decide(benefit, { found: 0, runUs: 50 })).toBe('aside');
  expect(benefit.reason).toMatch(/^0\.0 % of the sampled rows were hits: the cache saves 0\.0 µs/);
  expect(decide(benefit, { found: 0, runUs: 50 })).toBe('aside');
  expect(decide(benefit, { found: 80, runUs: 50 })).toBe('in_use');
});

test.each([
  ['one row in ten of a slow model', { found: 10, runUs: 1_000 }, 'in_use'],
  ['one row in a hundred of a slow model', { found: 1, runUs: 10_000 }, 'in_use'],
  ['one row in ten of a fast model', { found: 10, runUs: 10 }, 'aside'],
  ['nearly all rows of a fast model', { found: 95, runUs: 10 }, 'in_use'],
] as const)('the share of hits and the time of a run decide: %s', (_, traffic, expected) => {
  expect(decide(new CacheBenefit(false), traffic)).toBe(expected);
});

test('a cache outside the process needs a higher gain to stay in use', () => {
  const traffic = { found: 10, runUs: 500 };
  expect(decide(new CacheBenefit(false), traffic)).toBe('in_use');
  expect(decide(new CacheBenefit(true), traffic)).toBe('aside');
});

test('a cache that fails soon after each return waits twice as long before the next', () => {
  const benefit = new CacheBenefit(false);
  const good = { found: 50, runUs: 100 };
  const waits: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    while (benefit.state === 'in_use') decide(benefit, { found: 0, runUs: 100 });
    let wait = 0;
    while (benefit.state === 'aside') {
      decide(benefit, good);
      wait += 1;
    }
    waits.push(wait);
  }
  expect(waits).toEqual([1, 2, 4, 8, 16]);
});

test('a cache that hits for all rows stays in use although the time of a run is unknown', () => {
  const benefit = new CacheBenefit(false);
  for (let k = 0; k < lookups; k += 1) benefit.observeLookup(0.003, true);
  expect(benefit.state).toBe('in_use');
});
