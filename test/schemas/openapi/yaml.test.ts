import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { toYaml } from '../../../src/schemas/openapi/yaml.js';
import { runAtOnce } from '../../../src/time/slices.js';

/** The parser in the dependencies of @fastify/swagger-ui: an independent implementation of YAML 1.2. */
const require = createRequire(createRequire(import.meta.url).resolve('@fastify/swagger-ui'));
const { parse } = require('yaml') as { parse: (text: string) => unknown };

test.each([
  ['scalars', { a: 1, b: -1.5e300, c: true, d: null, e: '', f: 'yes', g: '1.0', h: 1e21 }],
  [
    'keys that need quotes',
    {
      yes: 1,
      'a b': 2,
      '200': 3,
      '': 4,
      '/a/{b}': 5,
      '- x': 6,
      '#': 7,
      'a: b': 8,
      '~': 9,
      null: 10,
      on: 11,
      'x-y': 12,
    },
  ],
  ['empty arrays and objects, at any depth', { a: [], b: {}, c: [[], {}, [[]], [{ d: [] }]] }],
  ['arrays of arrays and objects', [[1, [2, 3]], { a: [{ b: 1, c: [4] }, 5] }, 'x']],
  [
    'texts with line breaks, quotes and characters that YAML calls unprintable',
    [
      'a\nb',
      '"',
      "'",
      '\\',
      '\t',
      '\u0000',
      '\u007f\u0085\u2028\u2029\ufeff\ufffe',
      '😀',
      ' # : - ? ',
      '{}',
      '%TAG',
      '---',
    ],
  ],
  ['values deeper than a step', { a: { b: { c: { d: { e: { f: { g: [{ h: 1 }, [], {}] } } } } } } }],
  ['a text by itself', 'x'],
  ['an empty object by itself', {}],
])('a YAML parser reads the same value back: %s', (_, value) => {
  expect(parse(runAtOnce(toYaml(value)))).toEqual(value);
});

test('members with the value undefined are left out, as in JSON', () => {
  expect(runAtOnce(toYaml({ a: undefined, b: 1 }))).toBe('b: 1\n');
});
