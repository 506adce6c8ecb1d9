import { describe, expect, test } from 'vitest';
import { createInstancesReader } from '../../../src/jobs/readers/instances-reader.js';
import { createLineReader } from '../../../src/jobs/readers/line-reader.js';
import type { RowReader } from '../../../src/jobs/readers/row-reader.js';
import { createRandom } from '../../helpers/onnx/random.js';

const bounds = { maxRowBytes: 1_000 };

/** The rows of a text that comes in pieces of the given sizes, or the code of the error. */
function read(reader: RowReader, text: string | Buffer, sizes: () => number = () => 1_000_000) {
  const bytes = Buffer.from(text);
  const rows: string[] = [];
  try {
    for (let at = 0; at < bytes.length; ) {
      const size = Math.max(1, sizes());
      for (const row of reader.push(bytes.subarray(at, at + size))) rows.push(row.toString());
      at += size;
    }
    for (const row of reader.end()) rows.push(row.toString());
    return rows;
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe('the rows of {"instances": […]}', () => {
  test.each([
    ['{"instances":[{"a":1},{"a":2}]}', ['{"a":1}', '{"a":2}']],
    [' { "instances" : [ {"a": 1} , {"a": 2} ] } \n', ['{"a": 1} ', ' {"a": 2} ']],
    ['{"instances":[]}', []],
    [
      '{"instances":[1,"a,]}",null,[1,[2]],{"b":{"c":[]}}]}',
      ['1', '"a,]}"', 'null', '[1,[2]]', '{"b":{"c":[]}}'],
    ],
    ['{"instances":["\\"],}","\\\\"]}', ['"\\"],}"', '"\\\\"']],
    ['{"instances":["é€😀"]}', ['"é€😀"']],
    // What is no JSON inside of a row is found when the row is parsed.
    ['{"instances":[nonsense,,1]}', ['nonsense', '', '1']],
  ])('%s', (text, expected) => {
    expect(read(createInstancesReader(bounds), text)).toEqual(expected);
    // However the bytes are cut.
    for (const size of [1, 2, 3, 7]) {
      expect(read(createInstancesReader(bounds), text, () => size)).toEqual(expected);
    }
  });

  test.each([
    ['', 'invalid_json'],
    ['{', 'invalid_json'],
    ['{"instances":[1', 'invalid_json'],
    ['{"instances":[1]', 'invalid_json'],
    ['{"instances":[1]}x', 'invalid_json'],
    ['{"instances":[1]}{}', 'invalid_json'],
    ['[]', 'invalid_input'],
    ['{}', 'invalid_input'],
    ['{"instance":[1]}', 'invalid_input'],
    ['{"instances2":[1]}', 'invalid_input'],
    ['{"inst\\u0061nces":[1]}', 'invalid_input'],
    ['{"instances":{"a":1}}', 'invalid_input'],
    ['{"instances":[1],"model":"m"}', 'invalid_input'],
    ['{"model":"m","instances":[1]}', 'invalid_input'],
    ['{"instances":[1}}', 'invalid_input'],
    ['{"instances":[1]]}', 'invalid_input'],
    ['\uFEFF{"instances":[1]}', 'invalid_json'],
    ['hello', 'invalid_json'],
  ])('refuses %s', (text, code) => {
    for (const size of [1, 4, 1_000]) {
      expect(read(createInstancesReader(bounds), text, () => size)).toBe(code);
    }
  });

  test('are those that JSON.parse finds, whatever they hold and however the bytes are cut', () => {
    const random = createRandom(16);
    const pick = (count: number) => Math.floor(random() * count);
    const text = () =>
      Array.from({ length: pick(12) }, () => ['"', '\\', ',', ']', '}', 'a', '€', '\n'][pick(8)]).join('');
    const value = (deep: number): unknown => {
      const kind = pick(deep > 0 ? 6 : 4);
      if (kind === 0) return pick(1_000);
      if (kind === 1) return text();
      if (kind < 4) return [true, null][pick(2)];
      const parts = Array.from({ length: pick(4) }, () => value(deep - 1));
      return kind === 4 ? parts : Object.fromEntries(parts.map((part, k) => [`${k}${text()}`, part]));
    };
    for (let round = 0; round < 500; round += 1) {
      const rows = Array.from({ length: pick(6) }, () => value(3));
      const json = JSON.stringify({ instances: rows }, null, pick(3));
      const found = read(createInstancesReader({ maxRowBytes: 1e6 }), json, () => 1 + pick(20));
      expect((found as string[]).map((row) => JSON.parse(row))).toEqual(rows);
    }
  });

  test('have a limit of bytes, wherever a row is cut', () => {
    const long = `{"instances":["${'a'.repeat(1_000)}"]}`;
    for (const size of [1, 64, 5_000]) {
      expect(read(createInstancesReader(bounds), long, () => size)).toBe('body_too_large');
    }
    expect(read(createInstancesReader(bounds), `{"instances":["${'a'.repeat(998)}"]}`)).toHaveLength(1);
  });
});

test('a row that arrives byte by byte costs the memory of its bytes, not of its pieces', () => {
  for (const reader of [
    createLineReader({ maxRowBytes: 4e6 }),
    createInstancesReader({ maxRowBytes: 4e6 }),
  ]) {
    const bytes = Buffer.from(`{"instances":["${'a'.repeat(1_000_000)}`);
    const before = process.memoryUsage();
    // Each piece has memory of its own, as a socket's chunks do.
    for (const byte of bytes) reader.push(Buffer.alloc(1, byte));
    globalThis.gc?.();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    expect(heapUsed + arrayBuffers - before.heapUsed - before.arrayBuffers).toBeLessThan(100e6);
  }
});

describe('the rows of lines', () => {
  test.each([
    ['{"a":1}\n{"a":2}\n', ['{"a":1}', '{"a":2}']],
    ['{"a":1}\n{"a":2}', ['{"a":1}', '{"a":2}']],
    ['\n \n{"a":1}\r\n\t\r\n{"a":2}', ['{"a":1}\r', '{"a":2}']],
    ['', []],
    ['\n\n', []],
    ['no JSON\n{', ['no JSON', '{']],
    ['"é€😀"\n', ['"é€😀"']],
  ])('%j', (text, expected) => {
    for (const size of [1, 2, 3, 1_000]) {
      expect(read(createLineReader(bounds), text, () => size)).toEqual(expected);
    }
  });

  test('have a limit of bytes', () => {
    for (const size of [1, 64, 5_000]) {
      expect(read(createLineReader(bounds), `1\n${'a'.repeat(1_001)}\n`, () => size)).toBe('body_too_large');
      expect(read(createLineReader(bounds), 'a'.repeat(1_000), () => size)).toHaveLength(1);
    }
  });
});
