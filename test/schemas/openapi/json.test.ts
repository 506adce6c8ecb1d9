import { expect, test } from 'vitest';
import { toJson } from '../../../src/schemas/openapi/json.js';
import { runAtOnce } from '../../../src/time/slices.js';

test.each([
  ['scalars', { a: 1, b: -1.5e300, c: true, d: null, e: '', f: Number.NaN }],
  ['texts that need escapes', { 'a"\n': '\u2028"\\', __proto__x: ['\ud800'] }],
  ['members with the value undefined', { a: undefined, b: [undefined, 1] }],
  ['empty arrays and objects', { a: [], b: {}, c: [[], {}] }],
  ['values deeper than a step', { a: { b: { c: { d: { e: { f: { g: [{ h: 1, i: undefined }] } } } } } } }],
  ['a text by itself', 'x'],
])('the text is that of JSON.stringify: %s', (_, value) => {
  expect(runAtOnce(toJson(value))).toBe(JSON.stringify(value));
});
