import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { expect, test } from 'vitest';
import { buildTestApp } from '../helpers/app.js';
import { findOnPath } from '../helpers/programs.js';

const page = readFileSync('docs/batch.md', 'utf8');
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    ([, text]) => text as string,
  );

test.skipIf(findOnPath(['curl']) === undefined)(
  'docs/batch.md shows the answer that its first curl gets, and the other ones work',
  async () => {
    await using server = await buildTestApp();
    await server.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = server.app.server.address() as AddressInfo;
    const run = async (command: string) => {
      const { stdout } = await promisify(execFile)('sh', ['-c', command.replaceAll(':8000', `:${port}`)]);
      return stdout;
    };
    const [first, second, third, table, command, ...others] = blocks('sh');
    expect([command?.startsWith('npx sardonyx batch'), others]).toEqual([true, []]);
    const shown = JSON.parse(blocks('json')[0] as string);
    delete shown.results[0].prediction_id;
    expect(JSON.parse(await run(`${first}`))).toMatchObject(shown);
    for (const other of [second, third]) {
      expect(JSON.parse(await run(`${other}`))).toMatchObject({
        model: 'credit-risk',
        completed_instances: 2,
        failed_instances: 0,
      });
    }
    expect(await run(`${table}`)).toMatch(/^index,prediction,.*\n0,1,.*\n1,0,.*\n$/);
  },
);

test('the command of docs/batch.md writes the file that it names', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sardonyx-docs-'));
  try {
    await writeFile(join(folder, 'loans.csv'), 'id,age,income,credit_score\na7,42,51234.5,688\n');
    const [, command = ''] = /^npx sardonyx (.*)$/m.exec(blocks('sh')[4] ?? '') ?? [];
    const argv = [resolve('dist/cli.js'), ...command.split(' '), '--models', resolve('models')];
    await promisify(execFile)(process.execPath, argv, { cwd: folder });
    const file = await asyncBufferFromFile(join(folder, 'scores.parquet'));
    expect(await parquetReadObjects({ file })).toMatchObject([{ index: 0n, id: 'a7', prediction: 1n }]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('docs/batch.md names the limits that are set', () => {
  const settings = readFileSync('docs/configuration.md', 'utf8');
  const row = (name: string) => settings.split('\n').find((line) => line.includes(`\`${name}\``)) ?? '';
  expect(row('BATCH_MAX_ROWS')).toContain('1000000');
  expect(row('BATCH_BODY_LIMIT_BYTES')).toContain('1073741824');
  expect(page).toContain('`BATCH_MAX_ROWS` (1,000,000)');
  expect(page).toContain('`BATCH_BODY_LIMIT_BYTES` (1 GiB)');
});
