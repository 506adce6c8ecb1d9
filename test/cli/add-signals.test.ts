import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCli } from '../../src/cli/run-cli.js';
import { draftName } from '../../src/models/proposal/drafts.js';
import * as models from '../helpers/onnx-models.js';
import { childrenOf, isAlive } from '../helpers/processes.js';

let folder: string;
let registry: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sardonyx-signals-'));
  registry = join(folder, 'models');
  await mkdir(join(folder, 'tmp'));
  await writeFile(join(folder, 'model.onnx'), models.linearRegression([1, 2]));
  // Its trial run does not end, so that the signal arrives during the trial.
  await writeFile(join(folder, 'endless.onnx'), models.endlessLoop());
});

afterEach(() => rm(folder, { recursive: true, force: true }));

function startAdd(): ChildProcess {
  return spawn(
    process.execPath,
    [
      'dist/cli.js',
      'add',
      join(folder, 'endless.onnx'),
      '--name',
      'm',
      '--version',
      '1',
      '--models',
      registry,
    ],
    {
      env: { PATH: process.env['PATH'], TMPDIR: join(folder, 'tmp'), MODEL_LOAD_TIMEOUT_MS: '60000' },
      stdio: 'ignore',
    },
  );
}

const contentOf = (path: string) => readdir(path).catch(() => [] as string[]);

/** Resolves once the draft is complete and a child tries it. */
async function untilTried(child: ChildProcess): Promise<{ draft: string; children: readonly number[] }> {
  for (const until = performance.now() + 15_000; performance.now() < until; await pause(20)) {
    const [draft] = await contentOf(join(registry, 'm'));
    const children = childrenOf(child.pid as number, 'sardonyx m/1');
    if (draft !== undefined && children.length > 0) return { draft, children };
  }
  throw new Error('no trial began');
}

async function untilGone(pids: readonly number[]): Promise<void> {
  const until = performance.now() + 10_000;
  while (pids.some(isAlive) && performance.now() < until) await pause(20);
  expect(pids.filter(isAlive)).toEqual([]);
}

async function run(...argv: string[]) {
  let [out, err] = ['', ''];
  const code = await runCli(argv, {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env: { MODELS_DIR: registry },
  });
  return { code, out, err };
}

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)(
  '%s during the trial leaves no draft and no child, and the exit code is %i',
  async (signal, code) => {
    const child = startAdd();
    const { children } = await untilTried(child);
    const exit = once(child, 'exit');
    child.kill(signal);
    expect(await exit).toEqual([code, null]);
    expect(await contentOf(registry)).toEqual([]);
    expect(await contentOf(join(folder, 'tmp'))).toEqual([]);
    await untilGone(children);
  },
);

test('check names the draft of a killed add, and the next add removes it', async () => {
  const child = startAdd();
  const { draft } = await untilTried(child);
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
  expect(await contentOf(join(registry, 'm'))).toEqual([draft]);
  const checked = await run('check');
  expect(checked.code).toBe(1);
  expect(checked.out).toContain(`m/${draft}: was left behind by an add command that did not finish`);
  expect(await run('add', join(folder, 'model.onnx'), '--name', 'm', '--version', '1')).toMatchObject({
    code: 0,
  });
  expect(await contentOf(join(registry, 'm'))).toEqual(['1']);
  expect((await run('check')).code).toBe(0);
});

test('the draft of a running add is kept until it is older than a day', async () => {
  const draft = join(registry, 'm', draftName('7'));
  await mkdir(draft, { recursive: true });
  await run('add', join(folder, 'model.onnx'), '--name', 'm', '--version', '1');
  expect(await contentOf(join(registry, 'm'))).toHaveLength(2);
  expect((await run('check')).code).toBe(0);
  const long = (await stat(draft)).mtimeMs / 1_000 - 90_000;
  await utimes(draft, long, long);
  await run('add', join(folder, 'model.onnx'), '--name', 'm', '--version', '2');
  expect((await contentOf(join(registry, 'm'))).sort()).toEqual(['1', '2']);
});

test('two parallel add commands for one model both succeed', async () => {
  const add = (version: string) =>
    run('add', join(folder, 'model.onnx'), '--name', 'm', '--version', version);
  const codes = await Promise.all([add('1'), add('2')]);
  expect(codes.map(({ code, err }) => err || code)).toEqual([0, 0]);
  expect((await contentOf(join(registry, 'm'))).sort()).toEqual(['1', '2']);
});
