import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { expect, test } from 'vitest';
import { parseLines, runBatchCommand, runBatchUntil } from '../../../helpers/batch-cli.js';
import { useBatchFolder } from '../../../helpers/batch-folder.js';

const { models, at } = useBatchFolder();
const count = 70_000;
const lines = (idOf: (row: number) => unknown) =>
  Array.from({ length: count }, (_unused, k) => `${JSON.stringify({ x: k, id: idOf(k) })}\n`).join('');
const argvOf = (output: string) => [at('in.ndjson'), '--model', 'line@1', '--out', at(output), '--keep'];

test('a value that its column of Parquet cannot hold stops each run, and costs no row', async () => {
  await writeFile(
    at('in.ndjson'),
    lines((row) => (row === 40_000 ? 'x17' : row)),
  );
  const argv = argvOf('out.parquet');
  // A point after the first row group: where the next runs begin does not depend on the speed of the machine.
  expect((await runBatchUntil(models, 130, argv)).err).toContain('stopped after 33,280 rows');
  for (let round = 0; round < 2; round += 1) {
    const { code, err } = await runBatchCommand(models, argv);
    expect(code).toBe(1);
    expect(err.split('\n')).toEqual([
      `sardonyx: goes on after 33,280 rows, which are in ${at('out.parquet.part')}`,
      'sardonyx: the column id has the value "x17" in the row with index 40000, and other types before: a column of Parquet has one type. Write csv or ndjson instead, as with --out FILE.csv',
      '',
    ]);
    expect(existsSync(at('out.parquet'))).toBe(false);
    expect(JSON.parse(String(await readFile(at('out.parquet.part.json')))).rows).toBe(33_280);
  }
  const { code } = await runBatchCommand(models, argvOf('out.ndjson'));
  expect(code).toBe(0);
  const ids = parseLines(await readFile(at('out.ndjson'))).map(({ id }) => id);
  expect(ids).toEqual(Array.from({ length: count }, (_unused, k) => (k === 40_000 ? 'x17' : k)));
});

test.each(['out.parquet', 'out.csv'])('a file that may grow no more costs no row of %s', async (output) => {
  await writeFile(at('in.ndjson'), lines(String));
  const argv = argvOf(output);
  await runBatchUntil(models, 130, argv);
  const whole = (await readFile(at(`${output}.part`))).length;
  // This process is alive, but not the one that had begun then.
  const point = JSON.parse(String(await readFile(at(`${output}.part.json`))));
  point.process.start = '1';
  await writeFile(at(`${output}.part.json`), JSON.stringify(point));
  // Some of the bytes of the next write find room. POSIX: the unit is 512 bytes.
  const limited = ['-c', `ulimit -f ${Math.ceil((whole * 1.1) / 512)}; exec "$@"`, 'sh', process.execPath];
  const program = ['dist/cli.js', 'batch', ...argv, '--models', models];
  for (let round = 0; round < 2; round += 1) {
    const { status, stderr } = spawnSync('sh', [...limited, ...program], { encoding: 'utf8' });
    expect(stderr).toMatch(/stopped after 33,280 rows, which are in .*: run the command again to go on\n/);
    expect(stderr).toContain('EFBIG');
    expect(status).toBe(1);
  }
  const { code, err } = await runBatchCommand(models, argv);
  expect(err).toContain('goes on after 33,280 rows');
  expect(code).toBe(0);
  const ids = output.endsWith('csv')
    ? String(await readFile(at(output)))
        .trimEnd()
        .split('\n')
        .slice(1)
        .map((line) => line.split(',')[1])
    : (await parquetReadObjects({ file: await asyncBufferFromFile(at(output)) })).map((row) => row['id']);
  expect(ids).toEqual(Array.from({ length: count }, (_unused, k) => String(k)));
});
