import { describe, expect, test } from 'vitest';
import type { ServiceError } from '../../../src/errors.js';
import { createCsvReader } from '../../../src/jobs/readers/csv-reader.js';
import type { Feature } from '../../../src/models/manifest/manifest.js';
import { createRandom } from '../../helpers/onnx/random.js';

const features: readonly Feature[] = [
  { name: 'n', type: 'number' },
  { name: 'b', type: 'boolean', nullable: true },
  { name: 's', type: 'string', default: 'x' },
];
const model = { name: 'm', features, takesOthers: false };

type Read = readonly (Record<string, unknown> | string)[] | ServiceError;

/** The rows of a CSV that comes in pieces: parsed, or the detail of their error. An error of the whole body is returned. */
function read(csv: string | Buffer, size = 1_000_000, options = {}, maxRowBytes = 1_000): Read {
  const reader = createCsvReader({ maxRowBytes }, { ...model, ...options });
  const bytes = Buffer.from(csv);
  try {
    const rows = [];
    for (let at = 0; at < bytes.length; at += size) rows.push(...reader.push(bytes.subarray(at, at + size)));
    rows.push(...reader.end());
    return rows.map((row) => (Buffer.isBuffer(row) ? JSON.parse(row.toString()) : (row.detail as string)));
  } catch (error) {
    return error as ServiceError;
  }
}

const one = (cells: string) => {
  const rows = read(`n,b,s\n${cells}\n`);
  return Array.isArray(rows) && rows.length === 1 ? rows[0] : rows;
};

describe('the rows of a CSV', () => {
  test.each<[string, string, Read]>([
    [
      'are in the order of their lines, by the names of the header',
      's,n,b\na,1,true\nb,2,false\n',
      [
        { s: 'a', n: 1, b: true },
        { s: 'b', n: 2, b: false },
      ],
    ],
    ['end with CRLF, and the last one with nothing', 'n\r\n1\r\n2', [{ n: 1 }, { n: 2 }]],
    ['are none after a header alone', 'n\n', []],
    ['may lack features that have a default or may be null', 'n\n1\n', [{ n: 1 }]],
    ['leave lines without bytes out', '\nn\n\r\n1\n\n\n2\n\n', [{ n: 1 }, { n: 2 }]],
    ['follow a byte order mark', '\uFEFF"n"\n1\n', [{ n: 1 }]],
    [
      'have commas, quotes and line breaks in quoted fields',
      'n,s\n1,"a,b"\n2,"say ""x"""\n3,"two\r\nlines\n"\n4,""""\n',
      [
        { n: 1, s: 'a,b' },
        { n: 2, s: 'say "x"' },
        { n: 3, s: 'two\r\nlines\n' },
        { n: 4, s: '"' },
      ],
    ],
    ['keep spaces and backslashes', 'n,s\n1, a\\ \n', [{ n: 1, s: ' a\\ ' }]],
    ['have any text', 'n,s\n1,é€😀\u0001\t\n', [{ n: 1, s: 'é€😀\u0001\t' }]],
  ])('%s', (_title, csv, expected) => {
    for (const size of [1, 2, 3, 7, 1_000]) expect(read(csv, size)).toEqual(expected);
  });

  test.each([
    ['42', 42],
    ['-1.50', -1.5],
    ['"7"', 7],
    ['+3', 3],
    ['007', 7],
    ['-00.5', -0.5],
    ['.5', 0.5],
    ['-.5', -0.5],
    ['5.', 5],
    ['1e-05', 1e-5],
    ['1.E+3', 1_000],
    [' 8 ', 8],
    ['0', 0],
    ['', null],
    ['""', null],
    ['NA', 'NA'],
    ['NaN', 'NaN'],
    ['inf', 'inf'],
    ['0x1f', '0x1f'],
    ['1_000', '1_000'],
    ['"1,5"', '1,5'],
    ['.', '.'],
    ['-', '-'],
    ['1e', '1e'],
    ['--1', '--1'],
    ['True', 'True'],
  ])('a number is written as %s', (cell, value) => {
    expect(one(`${cell},,`)).toEqual({ n: value, b: null, s: null });
  });

  test('a number keeps all of its digits', () => {
    const reader = createCsvReader({ maxRowBytes: 1_000 }, model);
    const digits = '0.1234567890123456789012345678901234567890';
    const [row] = reader.push(Buffer.from(`n\n${digits}\n`));
    expect(String(row)).toBe(`{"n":${digits}}`);
  });

  test.each([
    ['true', true],
    ['FALSE', false],
    ['True', true],
    ['"false"', false],
    ['1', true],
    ['0', false],
    ['', null],
    ['""', null],
    ['yes', 'yes'],
    ['NA', 'NA'],
  ])('a boolean is written as %s', (cell, value) => {
    expect(one(`1,${cell},`)).toEqual({ n: 1, b: value, s: null });
  });

  test('an empty text is quoted; an empty field is null', () => {
    expect(one('1,,""')).toEqual({ n: 1, b: null, s: '' });
    expect(one('1,,')).toEqual({ n: 1, b: null, s: null });
    expect(one('1,,NA')).toEqual({ n: 1, b: null, s: 'NA' });
  });

  test.each([
    ['1,,,', 'it has 4 fields, and the header has 3'],
    ['1,', 'it has 2 fields, and the header has 3'],
    ['1', 'it has one field, and the header has 3'],
    ['1,,5" pipe', 'a field that has a quote must be quoted, and its quotes doubled'],
    ['1,,"a"b', 'a quoted field has text after its closing quote'],
    ['1,,"a""b" ', 'a quoted field has text after its closing quote'],
    ['1,,a\rb', 'a carriage return has no line feed: end lines with LF or CRLF'],
    ['1\r2,,', 'a carriage return has no line feed: end lines with LF or CRLF'],
  ])('a record that cannot be read fails alone: %j', (record, fault) => {
    for (const size of [1, 5, 1_000]) {
      expect(read(`n,b,s\n1,,a\n\n${record}\n2,,b\n`, size)).toEqual([
        { n: 1, b: null, s: 'a' },
        `The record in line 4 cannot be read: ${fault}.`,
        { n: 2, b: null, s: 'b' },
      ]);
    }
  });

  test('a record that is not UTF-8 fails alone', () => {
    const bytes = Buffer.from('n,s\n1,a\n2,\u00ff\n3,b\n', 'latin1');
    const fault = 'The record in line 3 cannot be read: it is not valid UTF-8.';
    expect(read(bytes)).toEqual([{ n: 1, s: 'a' }, fault, { n: 3, s: 'b' }]);
  });

  test.each([
    ['', 'The body is empty: the first line must be the header.'],
    ['\uFEFF', 'The body is empty: the first line must be the header.'],
    ['n;b;s\n1;;a\n', 'The fields of the header are separated by semicolons: separate fields with commas.'],
    ['n\tb\ts\n', 'The fields of the header are separated by tabs: separate fields with commas.'],
    ['n,"b\n', 'A quoted field of the header has no closing quote: the record begins in line 1.'],
    ['n,s\n1,a\n2,"b\n3,c\n', 'A quoted field of row 1 has no closing quote: the record begins in line 3.'],
    ['n\rs', 'The header cannot be read: a carriage return has no line feed: end lines with LF or CRLF.'],
    [Buffer.from('\uFEFFn\n1\n', 'utf16le'), 'The body is UTF-16: send UTF-8.'],
    [Buffer.from([0x1f, 0x8b, 8, 0]), 'The body is compressed: send content-encoding: gzip.'],
    [Buffer.from('n,\u00ff\n', 'latin1'), 'The header is not valid UTF-8.'],
  ])('a body is refused as a whole: %j', (csv, detail) => {
    for (const size of [1, 1_000]) {
      expect(read(csv, size)).toMatchObject({ code: 'invalid_input', detail });
    }
  });

  test('a header is refused with all of its problems', () => {
    expect(read('b,nn,b,\n1,2,3,4\n')).toMatchObject({
      code: 'invalid_input',
      detail: 'The header has 4 problems.',
      problems: [
        { pointer: '/nn', message: 'is a column that is not a feature of m; did you mean n?' },
        { pointer: '/b', message: 'is the name of two columns: 1 and 3' },
        { pointer: '/', message: 'is the empty name of column 4: it is not a feature of m' },
        { pointer: '/n', message: 'is required, and the header has no column "n"' },
      ],
    });
  });

  test('a header with far more columns than the model has features is refused with one problem', () => {
    const names = Array.from({ length: 1_000 }, (_unused, k) => `c${k}`);
    expect(read(`n,${names.slice(0, 502).join()}\n`, 1_000, {}, 10_000)).toMatchObject({
      detail: expect.stringMatching(/^The header has 502 problems; /),
    });
    // What is wrong behind the columns that are read is not looked at.
    expect(read(`n,${names.join()},a"b\n`, 1_000, {}, 10_000)).toMatchObject({
      code: 'invalid_input',
      detail: 'The header has 1 problem.',
      problems: [
        {
          pointer: '',
          message:
            'must have at most 503 columns, since m has 3 features: the last column at least is not a feature of m',
        },
      ],
    });
    const rows = read(`n,${names.join()}\n1${','.repeat(1_000)}\n`, 1_000, { takesOthers: true }, 10_000);
    expect(rows).toEqual([{ n: 1, ...Object.fromEntries(names.map((name) => [name, null])) }]);
  });

  test('other columns are texts if the reader takes them', () => {
    const rows = read('id,n,note\n007,1,""\n,2,a\n', 3, { takesOthers: true });
    expect(rows).toEqual([
      { id: '007', n: 1, note: '' },
      { id: null, n: 2, note: 'a' },
    ]);
  });

  test('have a limit of bytes, as the header has', () => {
    const long = 'a'.repeat(1_001);
    for (const size of [1, 64, 5_000]) {
      expect(read(`n,s\n1,a\n2,${long}\n`, size)).toMatchObject({
        code: 'body_too_large',
        detail: 'Row 1 has more than 1000 bytes.',
      });
      expect(read(long, size)).toMatchObject({ detail: 'The header has more than 1000 bytes.' });
      expect(read(`n,b\r${'1,\r'.repeat(500)}`, 5_000)).toMatchObject({
        detail: 'The lines end with carriage returns alone: end them with LF or CRLF.',
      });
      expect(read(`n,s\n1,"${long.slice(0, 980)}\n`, size)).toMatchObject({ code: 'invalid_input' });
    }
  });
});

/** RFC 4180 over a whole text, character by character. */
function parseSimply(text: string): string[][] {
  const records: string[][] = [];
  let record: string[] = [];
  let [field, isQuoted] = ['', false];
  for (let k = 0; k < text.length; k += 1) {
    const character = text[k] as string;
    if (isQuoted && character === '"' && text[k + 1] === '"') {
      field += '"';
      k += 1;
    } else if (character === '"') isQuoted = !isQuoted;
    else if (!isQuoted && (character === ',' || character === '\n')) {
      record.push(field);
      field = '';
      if (character === '\n') records.push(record);
      if (character === '\n') record = [];
    } else field += character;
  }
  return records;
}

test('a random CSV gives the rows of a simple parser, however its bytes are cut', () => {
  const random = createRandom(4_180);
  const pick = (count: number) => Math.floor(random() * count);
  const alphabet = ['a', ',', '"', '\n', '\r\n', '€', '😀', '\\', ' ', '\u0007', 'null', '1'];
  const columns = ['n', 's', 'other'];
  for (let round = 0; round < 1_000; round += 1) {
    const records = Array.from({ length: 1 + pick(8) }, () => {
      const texts = [1, 2].map(() => Array.from({ length: pick(6) }, () => alphabet[pick(12)]).join(''));
      const cells = texts.map((text) =>
        /[",\n\r]/.test(text) || pick(3) === 0 || text === '' ? `"${text.replaceAll('"', '""')}"` : text,
      );
      return [`${pick(100) - 50}${['', '.25', 'e3'][pick(3)]}`, ...cells].join(',');
    });
    const csv = `${columns.join(',')}\n${records.join('\n')}\n`;
    const expected = parseSimply(csv)
      .slice(1)
      .map(([n, s, other]) => ({ n: Number(n), s, other }));
    for (const size of [1, 1 + pick(20), 10_000]) {
      expect(read(csv, size, { takesOthers: true })).toEqual(expected);
    }
  }
});

test('a record that arrives byte by byte costs the memory of its bytes', () => {
  const reader = createCsvReader({ maxRowBytes: 4e6 }, model);
  reader.push(Buffer.from('n,s\n1,"'));
  const before = process.memoryUsage();
  for (let k = 0; k < 1_000_000; k += 1) reader.push(Buffer.alloc(1, '"'));
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  expect(heapUsed + arrayBuffers - before.heapUsed - before.arrayBuffers).toBeLessThan(100e6);
});

test.each([
  ['has names twice', `${manyNames(40_000)},${'c39999,'.repeat(40_000)}n`, false],
  ['has names twice among others that are taken', `${manyNames(40_000)},${'c39999,'.repeat(40_000)}n`, true],
  ['has names that are no features', manyNames(300_000), false],
  ['has empty names', ','.repeat(4e6), false],
  ['has a name of quotes', `"${'""'.repeat(2e6)}"`, false],
  ['has some names of quotes', `"${'""'.repeat(8_000)}",`.repeat(250), false],
])('a header that %s takes little time', (_title, header, takesOthers) => {
  const reader = createCsvReader({ maxRowBytes: 8e6 }, { ...model, takesOthers });
  const bytes = Buffer.from(`${header}\n`);
  const started = process.cpuUsage();
  expect(() => reader.push(bytes)).toThrow();
  // The bytes are checked and decoded; the command line alone reads them all.
  expect(process.cpuUsage(started).user / 1_000).toBeLessThan(takesOthers ? 1_000 : 200);
});

function manyNames(count: number): string {
  return Array.from({ length: count }, (_unused, k) => `c${k}`).join();
}

test('a cell of a million characters takes time in proportion to its length', () => {
  for (const cell of ['0'.repeat(1e6), '"'.repeat(1e6), ','.repeat(1e6), `${' '.repeat(1e6)}x`]) {
    const started = performance.now();
    read(`n,b,s\n${cell}\n`, 65_536, {}, 4e6);
    expect(performance.now() - started).toBeLessThan(2_000);
  }
});
