import { expect, test } from 'vitest';
import { LineLimit } from '../../src/log/line-limit.js';

test('a flood logs 20 lines at once, then one a second with the number of lines left out before it', () => {
  const limit = new LineLimit();
  const lines: [number, number][] = [];
  for (let ms = 0; ms < 10_000; ms += 1) {
    const unlogged = limit.take('a', ms);
    if (unlogged !== undefined) lines.push([ms, unlogged]);
  }
  expect(lines).toHaveLength(29);
  expect(lines.slice(0, 20).every(([, unlogged]) => unlogged === 0)).toBe(true);
  expect(lines.at(-1)).toEqual([9_000, 999]);
});

test('rare events are all logged, and each kind of line has its own limit', () => {
  const limit = new LineLimit();
  for (let k = 0; k < 100; k += 1) expect(limit.take('a', k * 1_000)).toBe(0);
  for (let k = 0; k < 100; k += 1) limit.take('a', 100_000);
  expect(limit.take('b', 100_000)).toBe(0);
});
