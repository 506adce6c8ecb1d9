import { describe, expect, test } from 'vitest';
import { createCsvReader } from '../../../src/jobs/readers/csv-reader.js';
import { toLargeJson } from '../../../src/jobs/readers/large-record.js';
import { createRandom } from '../../helpers/onnx/random.js';

const names = ['"a"', '"b"', '"c"'];
const kinds = ['text', 'number', 'boolean'] as const;
const read = (record: string) => {
  const json = toLargeJson(Buffer.from(record), names, kinds);
  return typeof json === 'string' ? json : JSON.parse(json.toString());
};

describe('a long record of CSV', () => {
  test.each([
    ['x,1.50,True', { a: 'x', b: 1.5, c: true }],
    ['"x ""y"", z","+2",0', { a: 'x "y", z', b: 2, c: false }],
    ['"a\r\nb\tc\u0000",,', { a: 'a\r\nb\tc\u0000', b: null, c: null }],
    ['"","",""', { a: '', b: null, c: null }],
    [',no number,maybe', { a: null, b: 'no number', c: 'maybe' }],
    ['ä\\,007,1', { a: 'ä\\', b: 7, c: true }],
    ['x,1', 'it has 2 fields, and the header has 3'],
    ['x', 'it has one field, and the header has 3'],
    ['x,1,1,1', 'it has more fields than the header'],
    ['"x', 'a quoted field has no closing quote'],
    ['"x"y,1,1', 'a quoted field has text after its closing quote'],
    ['x"y,1,1', 'a field that has a quote must be quoted, and its quotes doubled'],
    ['x\ry,1,1', 'a carriage return has no line feed: end lines with LF or CRLF'],
    [`x,${'9'.repeat(1_001)},1`, 'its field "b" is too long for a number'],
  ])('%j is read', (record, expected) => {
    expect(read(record)).toEqual(expected);
  });

  test('has the same row as a short one', () => {
    const random = createRandom(77);
    const pick = (count: number) => Math.floor(random() * count);
    const features = names.map((name) => ({ name: JSON.parse(name), type: 'string' as const }));
    const write = (text: string) =>
      /[",\n\r]/.test(text) || pick(3) === 0 ? `"${text.replaceAll('"', '""')}"` : text;
    for (let round = 0; round < 300; round += 1) {
      const cells = names.map(() =>
        Array.from(
          { length: pick(9) },
          () => ['"', ',', '\n', '\r\n', '\\', 'ä', '\u0001', 'x', ' '][pick(9)],
        ).join(''),
      );
      const record = cells.map(write).join();
      const reader = createCsvReader({ maxRowBytes: 1e6 }, { name: 'm', features, takesOthers: false });
      const [short] = [...reader.push(Buffer.from(`a,b,c\n${record}\n`)), ...reader.end()];
      const long = toLargeJson(Buffer.from(record), names, ['text', 'text', 'text']);
      if (!(short instanceof Buffer) || typeof long === 'string') throw new Error(`${record} is not read`);
      expect(JSON.parse(long.toString())).toEqual(JSON.parse(short.toString()));
    }
  });

  test.each([
    ['doubled quotes', `"${'""'.repeat(3_000_000)}",1,1`],
    ['line breaks', `"${'\n'.repeat(6_000_000)}",1,1`],
    ['commas', ','.repeat(3_000_000)],
  ])('of millions of %s takes time in proportion to its length', (_what, record) => {
    const bytes = Buffer.from(record);
    const started = performance.now();
    toLargeJson(bytes, names, kinds);
    expect(performance.now() - started).toBeLessThan(1_500);
  });
});
