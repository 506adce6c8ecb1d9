import { describe, expect, test } from 'vitest';
import { createRowKey } from '../../../src/models/features/row-key.js';

const toText = createRowKey(['a', 'b', 'c']);
const parse = (text: string) => toText(JSON.parse(text));

describe('the text of a row', () => {
  test.each([
    ['{"a":1,"b":2,"c":3}', '{"c":3,"a":1,"b":2}'],
    ['{"a":1,"b":2,"c":3}', '{"a":1.0,"b":2e0,"c":0.3e1}'],
    ['{"a":"x","b":2,"c":3}', '{"c":3.0,"b":2,"a":"\\u0078"}'],
    ['{"a":1,"a":2,"b":0,"c":0}', '{"a":2,"b":0,"c":0}'],
  ])('is equal for %s and %s', (one, other) => {
    expect(parse(one)).toBe(parse(other));
  });

  test.each([
    ['{"a":1,"b":2,"c":3}', '{"a":2,"b":1,"c":3}'],
    ['{"a":1,"b":2,"c":3}', '{"a":1,"b":2,"c":3.0000000000000004}'],
    ['{"a":0,"b":2,"c":3}', '{"a":-0.0,"b":2,"c":3}'],
    ['{"a":0,"b":2,"c":3}', '{"a":false,"b":2,"c":3}'],
    ['{"a":1,"b":2,"c":3}', '{"a":true,"b":2,"c":3}'],
    ['{"a":0,"b":2,"c":3}', '{"a":null,"b":2,"c":3}'],
    ['{"a":null,"b":2,"c":3}', '{"b":2,"c":3}'],
    ['{"a":"","b":2,"c":3}', '{"a":null,"b":2,"c":3}'],
    ['{"a":"1","b":2,"c":3}', '{"a":1,"b":2,"c":3}'],
    ['{"a":"x","b":"yz","c":3}', '{"a":"xy","b":"z","c":3}'],
    ['{"a":"1:x","b":"","c":3}', '{"a":"","b":"1:x","c":3}'],
    ['{"a":"x","b":2,"c":"y"}', '{"a":"x","b":"y","c":2}'],
  ])('differs for %s and %s', (one, other) => {
    expect(parse(one)).not.toBe(parse(other));
  });

  test('differs for all combinations of values that look alike', () => {
    const values = [0, -0, 1, 2 ** -1074, 0.1, 1e300, true, false, null, undefined, '', 'a', 'd', 's0:'];
    const all = values.flatMap((a) => values.flatMap((b) => values.map((c) => ({ a, b, c }))));
    expect(new Set(all.map(toText)).size).toBe(values.length ** 3);
  });
});
