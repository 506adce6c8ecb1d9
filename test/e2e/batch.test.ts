import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const rows = 300_000;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sardonyx-kill-'));
  const lines = Array.from(
    { length: rows },
    (_unused, k) => `{"age":${18 + (k % 80)},"income":${k},"credit_score":${300 + (k % 550)},"id":"r${k}"}\n`,
  );
  await writeFile(join(folder, 'in.ndjson'), lines.join(''));
}, 60_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

function start(out: string) {
  const argv = ['batch', join(folder, 'in.ndjson'), '--model', 'credit-risk', '--keep', '--out', out];
  const child = spawn(process.execPath, ['dist/cli.js', ...argv], { stdio: ['ignore', 'ignore', 'pipe'] });
  let err = '';
  child.stderr.on('data', (text) => {
    err += text;
  });
  return { child, ended: once(child, 'close'), err: () => err };
}

/** The rows that the last saved point of a run has. */
function savedRows(out: string): number {
  const path = `${out}.part.json`;
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).rows : 0;
}

async function until(condition: () => boolean, ended: () => boolean): Promise<void> {
  while (!condition() && !ended()) await new Promise((resolve) => setTimeout(resolve, 2));
}

test.each([
  ['out.csv', 'SIGKILL'],
  ['out.parquet', 'SIGKILL'],
  ['out.ndjson.gz', 'SIGTERM'],
  ['out.ndjson', 'SIGINT'],
] as const)(
  'a run to %s that ends by %s several times has each row once after the last one',
  async (name, signal) => {
    const { gunzipSync } = await import('node:zlib');
    const { asyncBufferFromFile, parquetReadObjects } = await import('hyparquet');
    const out = join(folder, name);
    let kills = 0;
    // The first kill comes before the first point, the others at any moment after the next one.
    for (let wait = 0; wait < 4; wait += 1) {
      const before = savedRows(out);
      const { child, ended, err } = start(out);
      await until(
        () => (wait === 0 ? existsSync(`${out}.part`) : savedRows(out) > before),
        () => child.exitCode !== null,
      );
      await new Promise((resolve) => setTimeout(resolve, 37 * wait));
      if (!child.kill(signal)) break;
      const [code, by] = await ended;
      // The run had answered its last row when the signal came.
      if (code === 0 || existsSync(out)) break;
      kills += 1;
      if (signal === 'SIGKILL') expect(by).toBe('SIGKILL');
      else {
        expect(code).toBe(signal === 'SIGINT' ? 130 : 143);
        if (wait > 0) expect(err()).toMatch(/stopped after [\d,]+ rows, .*: run the command again to go on/);
      }
    }
    expect(kills).toBeGreaterThan(0);
    if (!existsSync(out)) {
      const { ended } = start(out);
      expect((await ended)[0]).toBe(0);
    }
    const found = name.endsWith('parquet')
      ? (await parquetReadObjects({ file: await asyncBufferFromFile(out) })).map((row) => row['id'])
      : String(name.endsWith('gz') ? gunzipSync(readFileSync(out)) : readFileSync(out))
          .trimEnd()
          .split('\n')
          .slice(name.endsWith('csv') ? 1 : 0)
          .map((line) => (name.endsWith('csv') ? line.split(',')[1] : JSON.parse(line).id));
    expect(found).toEqual(Array.from({ length: rows }, (_unused, k) => `r${k}`));
    expect(existsSync(`${out}.part`)).toBe(false);
  },
  120_000,
);
