import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { buildTestApp } from '../helpers/app.js';
import { findOnPath } from '../helpers/programs.js';

const page = readFileSync('docs/batch.md', 'utf8');
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    ([, text]) => text as string,
  );

test.skipIf(findOnPath(['curl']) === undefined)(
  'docs/batch.md shows the answer that its first curl gets, and the others work',
  async () => {
    await using server = await buildTestApp();
    await server.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = server.app.server.address() as AddressInfo;
    const run = async (command: string) => {
      const { stdout } = await promisify(execFile)('sh', ['-c', command.replaceAll(':8000', `:${port}`)]);
      return JSON.parse(stdout);
    };
    const [first, ...others] = blocks('sh');
    const shown = JSON.parse(blocks('json')[0] as string);
    delete shown.results[0].prediction_id;
    expect(await run(`${first}`)).toMatchObject(shown);
    for (const command of others.filter((it) => it.startsWith('curl'))) {
      expect(await run(command)).toMatchObject({
        model: 'credit-risk',
        completed_instances: 2,
        failed_instances: 0,
      });
    }
  },
);

test('docs/batch.md names the limits that are set', () => {
  const settings = readFileSync('docs/configuration.md', 'utf8');
  const row = (name: string) => settings.split('\n').find((line) => line.includes(`\`${name}\``)) ?? '';
  expect(row('BATCH_MAX_ROWS')).toContain('1000000');
  expect(row('BATCH_BODY_LIMIT_BYTES')).toContain('1073741824');
  expect(page).toContain('`BATCH_MAX_ROWS` (1,000,000)');
  expect(page).toContain('`BATCH_BODY_LIMIT_BYTES` (1 GiB)');
});
