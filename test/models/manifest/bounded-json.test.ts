import { describe, expect, test } from 'vitest';
import { RefusedError } from '../../../src/errors.js';
import { parseGolden } from '../../../src/models/examples/golden.js';
import { parseBoundedJson } from '../../../src/models/manifest/bounded-json.js';
import { parseManifest } from '../../../src/models/manifest/parse-manifest.js';

const bounds = { depth: 3, containers: 4, members: 3, values: 5 };
const parse = (text: string) => parseBoundedJson(Buffer.from(text), 'a.json', bounds);

test.each([
  ['[[[1]]]', [[[1]]]],
  ['{"a":1,"b":{"c":2}}', { a: 1, b: { c: 2 } }],
  ['[1,2,3,4,5,6]', [1, 2, 3, 4, 5, 6]],
  [JSON.stringify('[[[[{{{{:::::,,,,,,,,'), '[[[[{{{{:::::,,,,,,,,'],
  [JSON.stringify('"[[[[\\"[[[[\\'), '"[[[[\\"[[[[\\'],
])('%s lies within the bounds', (text, value) => {
  expect(parse(text)).toEqual(value);
});

test.each([
  ['[[[[1]]]]', 'a.json has over 3 levels of arrays and objects'],
  ['[[],[],[],[]]', 'a.json has over 4 arrays and objects'],
  ['{"a":1,"b":1,"c":1,"d":1}', 'a.json has over 3 members of objects'],
  ['[1,2,3,4,5,6,7]', 'a.json has over 5 values'],
])('%s is refused', (text, reason) => {
  expect(() => parse(text)).toThrow(new RefusedError(reason));
});

test.each(['[', '"', '"\\', '{"a"', ''])('%j is not JSON, and throws a SyntaxError', (text) => {
  expect(() => parse(text)).toThrow(SyntaxError);
});

function expectRefusal(parseBomb: () => unknown, reason: RegExp): void {
  const refusal = expect.objectContaining({
    constructor: RefusedError,
    message: expect.stringMatching(reason),
  });
  expect(parseBomb).toThrow(refusal);
}

describe('a golden.json that is a bomb is refused', () => {
  const rows = (instance: string, count: number) =>
    Buffer.from(`{"instances":[${`${instance},`.repeat(count)}1],"expected":[{"prediction":1}]}`);
  test.each<[string, Uint8Array, RegExp]>([
    ['nested arrays', Buffer.alloc(60_000_000, '['), /over 64 levels of arrays and objects/],
    ['ten million rows', rows('1', 10_000_000), /over 8,000,000 values/],
    ['a million rows', rows('1', 1_000_000), /over 100,000 instances/],
    ['a million empty rows', rows('{}', 1_000_000), /over 500,000 arrays and objects/],
  ])('%s', (_what, bytes, reason) => {
    expectRefusal(() => parseGolden(bytes), reason);
  });
});

describe('a metadata.json that is a bomb is refused', () => {
  const manifest = (more: object) =>
    Buffer.from(
      JSON.stringify({
        name: 'm',
        version: '1',
        task: 'classification',
        sha256: { 'model.onnx': '0'.repeat(64) },
        ...more,
      }),
    );
  const list = (length: number) => Array.from({ length }, (_, k) => `v${k}`);
  const text = (name: string) => ({ name, type: 'string', enum: list(60_000) });
  test.each<[string, Uint8Array, RegExp]>([
    ['nested arrays', Buffer.alloc(4_000_000, '['), /over 32 levels of arrays and objects/],
    ['65,536 features', manifest({ features: list(65_536) }), /\/features must have at most 16384 elements/],
    [
      '200,000 classes',
      manifest({ features: ['a'], output: { classes: list(200_000) } }),
      /\/output\/classes must have at most 100000/,
    ],
    [
      'large lists of several features',
      manifest({ features: [text('a'), text('b')] }),
      /\/features have over 100000 values in enum and codes/,
    ],
    [
      '100,000 unknown keys',
      manifest(Object.fromEntries(list(100_000).map((key) => [key, 1]))),
      /is not a known key/,
    ],
  ])('%s', (_what, bytes, reason) => {
    expectRefusal(() => parseManifest(bytes), reason);
  });
});
