import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { expect, test } from 'vitest';
import { runBatchCommand, runBatchUntil } from '../../../helpers/batch-cli.js';
import { useBatchFolder } from '../../../helpers/batch-folder.js';

const { models, at } = useBatchFolder();
const argvOf = (output: string) => [at('in.ndjson'), '--model', 'line@1', '--out', at(output), '--keep'];
const fault = 'invalid_json: ';

/** The first lines are broken ones of several kinds. */
async function writeRows(broken: number, good: number) {
  const kinds = ['{"x":', '[1]', '7', '{"x":"\ufffd'];
  const lines = [
    ...Array.from({ length: broken }, (_unused, k) => kinds[k % kinds.length]),
    ...Array.from({ length: good }, (_unused, k) => `{"x":${k},"id":"r${k}"}`),
  ];
  await writeFile(at('in.ndjson'), `${lines.join('\n')}\n`);
}

/** The names of the columns, and the rows as lists of their cells. */
async function readTable(output: string): Promise<readonly (readonly unknown[])[]> {
  if (output.endsWith('parquet')) {
    const rows = await parquetReadObjects({ file: await asyncBufferFromFile(at(output)) });
    return [Object.keys(rows[0] ?? {}), ...rows.map((row) => Object.values(row))];
  }
  const lines = String(await readFile(at(output)))
    .trimEnd()
    .split('\n');
  return lines.map((line) => line.split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/));
}

test.each(['out.csv', 'out.parquet'])(
  'rows of NDJSON that are broken before the first good one do not decide the columns of %s',
  async (output) => {
    await writeRows(600, 600);
    const { code, err } = await runBatchCommand(models, argvOf(output));
    expect(err).toContain('1,200 rows');
    expect(code).toBe(1);
    const [names, ...rows] = await readTable(output);
    expect(names).toEqual(['index', 'id', 'prediction', 'error']);
    expect(rows).toHaveLength(1_200);
    expect(rows.every((row) => row.length === 4)).toBe(true);
    expect(rows.map((row) => Number(row[0]))).toEqual(Array.from({ length: 1_200 }, (_unused, k) => k));
    expect(rows.slice(0, 600).every((row) => !row[1] && !row[2] && row[3])).toBe(true);
    expect(String(rows[0]?.[3])).toContain(fault);
    expect(rows.slice(600).map((row) => row[1])).toEqual(Array.from({ length: 600 }, (_, k) => `r${k}`));
  },
);

test.each(['out.csv', 'out.parquet'])(
  'a run to %s that is stopped among broken rows loses none',
  async (output) => {
    await writeRows(2_000, 300);
    const { code, err } = await runBatchUntil(models, 500, argvOf(output), 'checks');
    expect(code).toBe('stopped');
    expect(err).toMatch(/^sardonyx: stopped after [\d,]+ rows$/m);
    expect(existsSync(at(`${output}.part`))).toBe(false);
    await runBatchCommand(models, argvOf(output));
    const [names, ...rows] = await readTable(output);
    expect(names).toEqual(['index', 'id', 'prediction', 'error']);
    expect(rows).toHaveLength(2_300);
    expect(rows.at(-1)?.[1]).toBe('r299');
  },
);

test('an input of broken rows alone is written without columns that are kept', async () => {
  await writeRows(700, 0);
  const { code } = await runBatchCommand(models, argvOf('out.csv'));
  expect(code).toBe(1);
  const [names, ...rows] = await readTable('out.csv');
  expect(names).toEqual(['index', 'prediction', 'error']);
  expect(rows).toHaveLength(700);
});

test('more than 10,000 broken rows at the start are refused for a table, and not for lines', async () => {
  await writeRows(15_000, 1);
  for (const output of ['out.csv', 'out.parquet']) {
    const { code, err } = await runBatchCommand(models, argvOf(output));
    expect(err).toBe(
      'sardonyx: none of the first 10000 rows is an object, whose members are the columns that are kept: remove these rows, leave the option out, or write ndjson\n',
    );
    expect(code).toBe(1);
    expect(existsSync(at(output)) || existsSync(at(`${output}.part`))).toBe(false);
  }
  await runBatchCommand(models, argvOf('out.ndjson'));
  expect(String(await readFile(at('out.ndjson')))).toContain('{"index":15000,"id":"r0","prediction":0}\n');
});
