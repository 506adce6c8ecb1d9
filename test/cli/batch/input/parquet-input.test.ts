import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SchemaElement } from 'hyparquet';
import { parquetWriteFile } from 'hyparquet-writer';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openParquet } from '../../../../src/cli/batch/input/parquet-input.js';
import type { Kept } from '../../../../src/cli/batch/rows/batch-row.js';
import { createRowSplitter, type KeepMode } from '../../../../src/cli/batch/rows/kept-members.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sardonyx-parquet-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Bytes that are no text, and those of a text that begins with a byte order mark. */
const raw = Uint8Array.of(0xff, 0xfe, 0x01);
const text = new TextEncoder().encode('\ufeffé');
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

const model = {
  name: 'm',
  features: [
    { name: 'x', type: 'number' as const },
    { name: 'word', type: 'string' as const, default: '' },
  ],
  takesOthers: true,
};

/** The rows of a file, without the first `skipped` ones. */
async function read(path: string, skipped = 0, mode: KeepMode = 'others') {
  const bytes = (await readFile(path)).length;
  const input = await openParquet(path, bytes, model);
  try {
    const splitter = createRowSplitter(mode, new Set(['x', 'word']), new Set(), false);
    const rows: unknown[] = [];
    for await (const some of input.read(splitter, skipped)) rows.push(...some);
    expect(input.done).toBe(input.rows);
    return rows;
  } finally {
    await input.close();
  }
}

test('the rows of several row groups are read from any row on', async () => {
  const path = join(folder, 'groups.parquet');
  const x = Array.from({ length: 100_000 }, (_unused, k) => k / 2);
  const id = x.map((_unused, k) => `r${k % 1_000}`);
  const columnData = [
    { name: 'x', data: x },
    { name: 'id', data: id },
  ];
  parquetWriteFile({ filename: path, columnData, rowGroupSize: 40_000, pageSize: 10_000 });
  for (const skipped of [0, 1, 39_999, 40_000, 72_768, 99_999, 100_000]) {
    const expected = x
      .slice(skipped)
      .map((value, k) => ({ body: { x: value }, kept: { id: id[skipped + k] } }));
    expect(await read(path, skipped)).toEqual(expected);
  }
});

test('bytes are carried over as base64, and texts as texts, whatever their annotation', async () => {
  const path = join(folder, 'bytes.parquet');
  const names = ['plain', 'enum', 'string', 'json', 'list'] as const;
  const leaf = { type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' } as const;
  const schema: SchemaElement[] = [
    { name: 'root', num_children: names.length + 1 },
    { name: 'x', type: 'DOUBLE', repetition_type: 'REQUIRED' },
    { ...leaf, name: 'plain' },
    { ...leaf, name: 'enum', converted_type: 'ENUM' },
    { ...leaf, name: 'string', logical_type: { type: 'STRING' } },
    { ...leaf, name: 'json', logical_type: { type: 'JSON' } },
    { name: 'list', repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST' },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { ...leaf, name: 'element' },
  ];
  const columnData = [
    { name: 'x', data: [1, 2] },
    { name: 'plain', data: [raw, text] },
    { name: 'enum', data: ['a', 'b'] },
    { name: 'string', data: ['é', null] },
    { name: 'json', data: ['{"n":1}', null] },
    { name: 'list', data: [[raw, text], []] },
  ];
  parquetWriteFile({ filename: path, columnData, schema });
  const kept = (values: readonly unknown[]) => Object.fromEntries(names.map((name, k) => [name, values[k]]));
  expect(await read(path)).toEqual([
    {
      body: { x: 1 },
      kept: kept([base64(raw), 'a', 'é', '{"n":1}', [base64(raw), base64(text)]]),
    },
    { body: { x: 2 }, kept: kept([base64(text), 'b', null, null, []]) },
  ]);
});

test('times keep the digits that they have', async () => {
  const path = join(folder, 'times.parquet');
  const leaf = { type: 'INT64', repetition_type: 'REQUIRED' } as const;
  const ofUnit = (unit: 'MILLIS' | 'MICROS' | 'NANOS') =>
    ({ ...leaf, name: unit, logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit } }) as const;
  const schema: SchemaElement[] = [
    { name: 'root', num_children: 5 },
    { name: 'x', type: 'DOUBLE', repetition_type: 'REQUIRED' },
    { ...leaf, name: 'old', converted_type: 'TIMESTAMP_MICROS' },
    ofUnit('MILLIS'),
    ofUnit('MICROS'),
    ofUnit('NANOS'),
  ];
  const columnData = [
    { name: 'x', data: [1, 2, 3] },
    { name: 'old', data: [1_500_001n, 1_500_000n, -1n] },
    { name: 'MILLIS', data: [1_500n, 1_000n, -1n] },
    { name: 'MICROS', data: [1_500_001n, 1_500_000n, -1n] },
    { name: 'NANOS', data: [1_500_000_001n, 1_500_001_000n, -1n] },
  ];
  parquetWriteFile({ filename: path, columnData, schema });
  const kept = (await read(path)).map((row) => Object.values((row as { kept: Kept }).kept));
  expect(kept).toEqual([
    [
      '1970-01-01T00:00:01.500001Z',
      '1970-01-01T00:00:01.500Z',
      '1970-01-01T00:00:01.500001Z',
      '1970-01-01T00:00:01.500000001Z',
    ],
    [
      '1970-01-01T00:00:01.500Z',
      '1970-01-01T00:00:01.000Z',
      '1970-01-01T00:00:01.500Z',
      '1970-01-01T00:00:01.500001Z',
    ],
    [
      '1969-12-31T23:59:59.999999Z',
      '1969-12-31T23:59:59.999Z',
      '1969-12-31T23:59:59.999999Z',
      '1969-12-31T23:59:59.999999999Z',
    ],
  ]);
});

test('a date has no time, and a time without a zone gets none', async () => {
  const path = join(folder, 'local.parquet');
  const leaf = { type: 'INT64', repetition_type: 'OPTIONAL' } as const;
  const local = (unit: 'MILLIS' | 'MICROS') =>
    ({ ...leaf, name: unit, logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: false, unit } }) as const;
  const schema: SchemaElement[] = [
    { name: 'root', num_children: 4 },
    { name: 'x', type: 'DOUBLE', repetition_type: 'REQUIRED' },
    { name: 'day', type: 'INT32', repetition_type: 'OPTIONAL', converted_type: 'DATE' },
    local('MILLIS'),
    local('MICROS'),
  ];
  const columnData = [
    { name: 'x', data: [1, 2] },
    { name: 'day', data: [20_455, null] },
    { name: 'MILLIS', data: [1_767_323_045_000n, null] },
    { name: 'MICROS', data: [1_767_323_045_000_001n, null] },
  ];
  parquetWriteFile({ filename: path, columnData, schema });
  const kept = (await read(path)).map((row) => Object.values((row as { kept: Kept }).kept));
  expect(kept).toEqual([
    ['2026-01-02', '2026-01-02T03:04:05.000', '2026-01-02T03:04:05.000001'],
    [null, null, null],
  ]);
});

test('a feature without an annotation is a text; a row whose text is not UTF-8 fails', async () => {
  const path = join(folder, 'texts.parquet');
  const columnData = [
    { name: 'x', data: [1, 2] },
    { name: 'word', data: [text, raw], type: 'BYTE_ARRAY' as const },
  ];
  parquetWriteFile({ filename: path, columnData });
  const [first, second] = await read(path, 0, 'all');
  expect(first).toEqual({
    body: { x: 1, word: '\ufeffé' },
    kept: { x: 1, word: '\ufeffé' },
  });
  expect(second).toMatchObject({
    error: { code: 'invalid_input', problems: [{ pointer: '/word', message: 'is not valid UTF-8' }] },
    kept: { x: 2, word: base64(raw) },
  });
});

test('a damaged file is refused, or read with damaged values, and ends in any case', async () => {
  const path = join(folder, 'sound.parquet');
  const data = Array.from({ length: 50 }, (_unused, k) => k % 7);
  parquetWriteFile({ filename: path, columnData: [{ name: 'x', data }] });
  const sound = await readFile(path);
  const outcomes = new Set<string>();
  for (let k = 0; k < sound.length; k += 1) {
    const damaged = Buffer.from(sound);
    damaged[k] = (damaged[k] as number) ^ 0x55;
    const target = join(folder, 'damaged.parquet');
    await writeFile(target, damaged);
    const outcome = await read(target).then(
      () => 'read',
      (error: Error) => error.name,
    );
    outcomes.add(outcome);
  }
  expect([...outcomes].sort()).toEqual(['RefusedError', 'ServiceError', 'read']);
});
