import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runCli } from '../../src/cli/run-cli.js';
import { nanAt, neverANumber } from '../helpers/onnx-models.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sardonyx-example-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

async function run(...argv: string[]) {
  let [out, err] = ['', ''];
  const code = await runCli(argv, {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env: { MODELS_DIR: join(folder, 'models') },
  });
  return { code, out, err };
}

async function add(bytes: Uint8Array) {
  await writeFile(join(folder, 'model.onnx'), bytes);
  return run('add', join(folder, 'model.onnx'), '--name', 'm', '--version', '1');
}

it('the lines to try hold a request that was answered, where zeros are not', async () => {
  const { out } = await add(nanAt());
  const body = /sardonyx predict m@1 '([^']+)'/.exec(out)?.[1] ?? '';
  expect((await run('predict', 'm@1', body)).err).toBe('');
  expect(out).toContain('It answered {"prediction":');
  expect((await run('predict', 'm', '--example')).out.split('\n')[0]).toBe(body);
});

it('there is no line to try where no request is answered, and one note says why', async () => {
  const { code, out } = await add(neverANumber());
  expect(code).toBe(0);
  expect(out.match(/note: no line to try is shown.*not a number/g)).toHaveLength(1);
  expect(out).not.toMatch(/Try it|curl|It answered/);
  expect((await run('predict', 'm', '--example')).err).toContain(
    'no example is known that the model answers',
  );
});
