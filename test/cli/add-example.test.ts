import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { useCliFolder } from '../helpers/cli.js';
import { nanAt, neverANumber } from '../helpers/onnx-models.js';

const cli = useCliFolder('sardonyx-example-');
const run = cli.run;

async function add(bytes: Uint8Array) {
  await writeFile(join(cli.path, 'model.onnx'), bytes);
  return run('add', join(cli.path, 'model.onnx'), '--name', 'm', '--version', '1');
}

it('the commands to try hold a request that gets an answer if zeros get none', async () => {
  const { out } = await add(nanAt());
  const body = /sardonyx predict m@1 '([^']+)'/.exec(out)?.[1] ?? '';
  expect((await run('predict', 'm@1', body)).err).toBe('');
  expect(out).toContain('It answered {"prediction":');
  expect((await run('predict', 'm', '--example')).out.split('\n')[0]).toBe(body);
});

it('the commands to try begin with npx if npx runs add, since sardonyx is not on the path then', async () => {
  await writeFile(join(cli.path, 'model.onnx'), nanAt());
  const add = ['add', join(cli.path, 'model.onnx'), '--name', 'm'];
  const { out } = await cli.runWith({ npm_lifecycle_event: 'npx' }, ...add, '--version', '1');
  expect(out).toMatch(/^ {2}npx sardonyx predict m@1 /m);
  expect((await cli.run(...add, '--version', '2')).out).toMatch(/^ {2}sardonyx predict m@2 /m);
});

it('no command to try is shown if no request gets an answer, and one note gives the reason', async () => {
  const { code, out } = await add(neverANumber());
  expect(code).toBe(0);
  expect(out.match(/note: no command to try is shown.*not a number/g)).toHaveLength(1);
  expect(out).not.toMatch(/Try it|curl|It answered/);
  expect((await run('predict', 'm', '--example')).err).toContain(
    'the model has no example that gets an answer',
  );
});
