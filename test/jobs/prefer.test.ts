import { expect, test } from 'vitest';
import { readWait } from '../../src/jobs/prefer.js';

test.each([
  [undefined, undefined],
  ['', undefined],
  ['wait=5', 5],
  ['Wait = 5', 5],
  ['wait="5"', 5],
  ['respond-async, wait=10', 10],
  ['wait=10, respond-async', 10],
  ['respond-async; foo=bar, wait=7; x', 7],
  ['wait', undefined],
  ['wait=', undefined],
  ['wait=-1', undefined],
  ['wait=1.5', undefined],
  ['wait=1e3', undefined],
  ['await=5', undefined],
  ['wait=99999999', 99_999_999],
  ['foo; wait=7', undefined],
  ['foo="x, wait=3"', undefined],
  ['foo="x, wait=3", wait=4', 4],
  ['wait=5, wait=6', 5],
])('Prefer: %s asks to wait %s seconds', (header, seconds) => {
  expect(readWait(header)).toBe(seconds);
});
