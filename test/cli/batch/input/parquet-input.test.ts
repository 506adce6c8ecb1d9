import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parquetWriteFile } from 'hyparquet-writer';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openParquet } from '../../../../src/cli/batch/input/parquet-input.js';
import { createRowSplitter } from '../../../../src/cli/batch/rows/kept-members.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sardonyx-parquet-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const model = { name: 'm', features: [{ name: 'x', type: 'number' as const }], takesOthers: true };

/** The rows of a file, without the first `skipped` ones. */
async function read(path: string, skipped = 0) {
  const bytes = (await readFile(path)).length;
  const input = await openParquet(path, bytes, model);
  try {
    const splitter = createRowSplitter('others', new Set(['x']), new Set(), false);
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
