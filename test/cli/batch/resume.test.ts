import { existsSync } from 'node:fs';
import { readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { expect, test } from 'vitest';
import { machine, startOf } from '../../../src/files/file-owner.js';
import { runBatchCommand, runBatchUntil } from '../../helpers/batch-cli.js';
import { useBatchFolder } from '../../helpers/batch-folder.js';

const { models, at } = useBatchFolder([2, 3]);
const run = (argv: readonly string[]) => runBatchCommand(models, argv);
const count = 50_000;
const csv = `id,x\n${Array.from({ length: count }, (_unused, k) => `r${k},${k % 5 === 4 ? 'NA' : k}\n`).join('')}`;

const runUntil = (calls: number, argv: readonly string[]) => runBatchUntil(models, calls, argv);

async function readIds(output: string): Promise<readonly (readonly [number, string, number | null])[]> {
  if (output.endsWith('parquet')) {
    const rows = await parquetReadObjects({ file: await asyncBufferFromFile(at(output)) });
    return rows.map((row) => [Number(row['index']), row['id'], row['prediction']]);
  }
  const bytes = await readFile(at(output));
  const lines = String(output.endsWith('gz') ? gunzipSync(bytes) : bytes)
    .trimEnd()
    .split('\n');
  if (output.includes('csv')) {
    const cells = lines.slice(1).map((line) => line.split(','));
    return cells.map(([index, id, value]) => [Number(index), id ?? '', value ? Number(value) : null]);
  }
  return lines.map((line) => {
    const { index, id, prediction = null } = JSON.parse(line);
    return [index, id, prediction];
  });
}

test.each(['out.ndjson', 'out.csv', 'out.csv.gz', 'out.parquet'])(
  'a run that is interrupted several times loses and doubles no row of %s',
  async (output) => {
    await writeFile(at('in.csv'), csv);
    const argv = [at('in.csv'), '--model', 'line@1', '--out', at(output), '--keep'];
    for (const calls of [1, 30, 2, 140]) {
      const { code, err } = await runUntil(calls, argv);
      expect(code).toBe('stopped');
      expect(err).toMatch(
        /stopped after [\d,]+ rows, which are in .*\.part: run the command again to go on\n$/,
      );
      expect(existsSync(at(output))).toBe(false);
    }
    const { code, err } = await run(argv);
    expect(err).toMatch(/^sardonyx: goes on after 44,288 rows, which are in /);
    // The rows that failed before the interruption count, too.
    expect(err).toContain('10,000 failed');
    expect(code).toBe(1);
    const expected = Array.from({ length: count }, (_unused, k) => [k, `r${k}`, k % 5 === 4 ? null : 2 * k]);
    expect(await readIds(output)).toEqual(expected);
    expect(existsSync(at(`${output}.part`)) || existsSync(at(`${output}.part.json`))).toBe(false);
    if (output === 'out.parquet') {
      const metadata = await parquetMetadataAsync(await asyncBufferFromFile(at(output)));
      expect(Number(metadata.num_rows)).toBe(count);
    }
  },
);

test('a run that is interrupted during its last chunk ends as one that was not', async () => {
  await writeFile(at('in.csv'), 'x\n1\n2\n');
  const { code, err } = await runUntil(1, [at('in.csv'), '--model', 'line@1', '--out', at('out.csv')]);
  expect(code).toBe(0);
  expect(err).toContain('sardonyx: 2 rows in');
  expect(existsSync(at('out.csv'))).toBe(true);
});

test('bytes after the last saved point, as of a killed run, are written again', async () => {
  await writeFile(at('in.csv'), csv);
  const argv = [at('in.csv'), '--model', 'line@1', '--out', at('out.csv'), '--keep'];
  await runUntil(20, argv);
  const part = await readFile(at('out.csv.part'));
  await writeFile(at('out.csv.part'), Buffer.concat([part, Buffer.from('9999,r9999,half a li')]));
  await run(argv);
  expect(await readIds('out.csv')).toHaveLength(count);
});

test('a run with another input, model or option is refused, and --restart begins anew', async () => {
  await writeFile(at('in.csv'), csv);
  const out = ['--out', at('out.csv')];
  const first = [at('in.csv'), '--model', 'line@1', ...out, '--keep'];
  await runUntil(10, first);
  const part = await readFile(at('out.csv.part'));
  await writeFile(at('other.csv'), csv);
  for (const [argv, reason] of [
    [[at('other.csv'), '--model', 'line@1', ...out, '--keep'], 'the input is another file'],
    [[at('in.csv'), '--model', 'line', ...out, '--keep'], 'the model or its version is another one'],
    [
      [at('in.csv'), '--model', 'line@1', ...out],
      'its options were --format csv --to csv --keep, and those of this command are --format csv --to csv',
    ],
    [
      [at('in.csv'), '--model', 'line@1', ...out, '--to', 'ndjson', '--keep'],
      'its options were --format csv --to csv --keep, and those of this command are --format csv --to ndjson --keep',
    ],
  ] as const) {
    const { code, err } = await run(argv);
    expect(err).toContain(
      `out.csv.part cannot be completed, since ${reason}: run the command that began it, or`,
    );
    expect(code).toBe(1);
  }
  await utimes(at('in.csv'), new Date(0), new Date(0));
  expect((await run(first)).err).toContain('since the input has changed');
  expect(await readFile(at('out.csv.part'))).toEqual(part);
  const { err } = await run([...first, '--restart']);
  expect(err).not.toContain('goes on after');
  expect(await readIds('out.csv')).toHaveLength(count);
});

test('a part without its point, or with a damaged one, is refused', async () => {
  await writeFile(at('in.csv'), csv);
  const argv = [at('in.csv'), '--model', 'line@1', '--out', at('out.csv'), '--keep'];
  await writeFile(at('out.csv.part'), 'mine');
  expect((await run(argv)).err).toContain('out.csv.part is there without');
  await writeFile(at('out.csv.part.json'), '{"version":1}');
  expect((await run(argv)).err).toContain('out.csv.part.json cannot be read: --restart begins anew');
  await rm(at('out.csv.part'));
  await rm(at('out.csv.part.json'));
  await runUntil(10, argv);
  await writeFile(at('out.csv.part'), 'short');
  expect((await run(argv)).err).toContain('out.csv.part is shorter than');
  const point = JSON.parse(String(await readFile(at('out.csv.part.json'))));
  await runUntil(10, [...argv, '--restart']);
  const parent = { machine: machine(), pid: process.ppid };
  const writePoint = (start: string | undefined) =>
    writeFile(at('out.csv.part.json'), JSON.stringify({ ...point, process: { ...parent, start } }));
  await writePoint(startOf(process.ppid));
  const before = await readFile(at('out.csv.part'));
  for (const more of [[], ['--restart'], ['--restart', '--force']]) {
    const { code, err } = await run([...argv, ...more]);
    expect(err).toContain(`out.csv.part is in use by process ${process.ppid}: end that process`);
    expect(code).toBe(1);
  }
  const piped = ['-', '--format', 'csv', '--model', 'line@1', '--out', at('out.csv'), '--restart'];
  expect((await runBatchCommand(models, piped, 'x\n1\n')).err).toContain('is in use by process');
  expect(await readFile(at('out.csv.part'))).toEqual(before);
  // A later process has got the id of the run.
  await writePoint('1');
  expect((await run(argv)).err).toContain('goes on after');
});

test('a point without its part, as of a kill after the last rename, is ignored', async () => {
  await writeFile(at('in.csv'), csv);
  const argv = [at('in.csv'), '--model', 'line@1', '--out', at('out.csv'), '--keep'];
  await runUntil(10, argv);
  await rm(at('out.csv.part'));
  const { err } = await run(argv);
  expect(err).not.toContain('goes on after');
  expect(await readIds('out.csv')).toHaveLength(count);
  expect(existsSync(at('out.csv.part.json'))).toBe(false);
  await rm(at('out.csv'));
  await writeFile(at('out.csv.part.json'), 'damaged');
  await run(argv);
  expect(await readIds('out.csv')).toHaveLength(count);
});

test('a run that fails in the middle says how to go on, and keeps its rows', async () => {
  await writeFile(at('in.csv'), `${csv}"no end`);
  const argv = [at('in.csv'), '--model', 'line@1', '--out', at('out.csv'), '--quiet'];
  const { code, err } = await runBatchCommand(models, [...argv, '--keep']);
  expect(code).toBe(1);
  expect(err).toMatch(/stopped after 49,\d+ rows, which are in .*: run the command again to go on/);
  expect(err).toContain('A quoted field of row 50000 has no closing quote: the record begins in line 50002.');
});

test('a run that fails before its first row leaves no part', async () => {
  await writeFile(at('in.csv'), csv);
  const argv = [at('in.csv'), '--model', 'line@1', '--out', at('out.csv')];
  const { code, err } = await run(argv);
  expect(code).toBe(1);
  expect(err).not.toContain('stopped after');
  expect(existsSync(at('out.csv.part')) || existsSync(at('out.csv.part.json'))).toBe(false);
  expect((await run([...argv, '--keep'])).code).toBe(1);
  expect(await readIds('out.csv')).toHaveLength(count);
});

test('a run from standard input leaves no part', async () => {
  const stdin = Buffer.from('x\n1\n"');
  const argv = ['-', '--format', 'csv', '--model', 'line@1', '--out', at('out.csv')];
  const { code } = await runBatchCommand(models, argv, stdin);
  expect([code, existsSync(at('out.csv.part')), existsSync(at('out.csv'))]).toEqual([1, false, false]);
});
