import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sardonyx-env-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const settings = `PORT=0\nMODELS_DIR='${resolve('models')}'\n`;

/** Starts a server in the folder, stops it once its models are loaded, and returns its lines and exit code. */
async function start(environment: Record<string, string> = {}, argv = [resolve('dist/main.js')]) {
  const child = spawn(process.execPath, argv, {
    cwd: folder,
    env: { PATH: process.env['PATH'], ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close');
  const log: Record<string, unknown>[] = [];
  const stderr: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => stderr.push(line));
  createInterface({ input: child.stdout }).on('line', (line) => {
    log.push(JSON.parse(line));
    if (line.includes('"models loaded"')) child.kill('SIGTERM');
  });
  const [code] = await ended;
  return { code, log, stderr, messages: log.map(({ msg }) => msg) };
}

test('.env in the working folder is read, and variables of the environment override it', async () => {
  writeFileSync(join(folder, '.env'), `${settings}LOG_LEVEL=error\nSHUTDOWN_TIMEOUT_MS=x\n`);
  const { code, messages } = await start({ LOG_LEVEL: 'info', SHUTDOWN_TIMEOUT_MS: '' });
  expect(code).toBe(0);
  expect(messages.filter((msg) => msg === 'version loaded')).toHaveLength(6);
});

test('workers get the settings of .env from their supervisor, and do not read the file', async () => {
  writeFileSync(join(folder, '.env'), `${settings}WORKERS=2\nnonsense\n`);
  const { code, log, stderr } = await start();
  expect(code).toBe(0);
  expect(log.filter(({ msg }) => msg === 'version loaded')).toHaveLength(12);
  expect(stderr.join('\n')).toContain('with 2 workers');
  expect(log.filter(({ file }) => file === '.env')).toMatchObject([{ level: 40, line: 4 }]);
});

test('sardonyx serve --env-file reads that file, and not .env', async () => {
  writeFileSync(join(folder, '.env'), 'PORT=x\n');
  writeFileSync(join(folder, 'other'), settings);
  const serve = [resolve('dist/cli.js'), 'serve', '--env-file', 'other'];
  expect((await start({}, serve)).code).toBe(0);
  const { code, stderr } = await start({}, [resolve('dist/cli.js'), 'serve', '--env-file', 'nope']);
  // Node 20 reads its own option of this name even after the script, and exits before it runs the script.
  expect(code).toBe(/^\S*node: /.test(stderr[0] ?? '') ? 9 : 1);
  expect(stderr).toEqual([expect.stringContaining('nope')]);
});

test('a missing file in ENV_FILE stops the start', async () => {
  const { code, stderr } = await start({ ENV_FILE: 'nope' });
  expect(code).toBe(1);
  expect(stderr).toEqual(['sardonyx: ENV_FILE: nope cannot be read (ENOENT)']);
});

test('a wrong value of .env stops the start', async () => {
  writeFileSync(join(folder, '.env'), `${settings}DOCS=maybe\nREDIS_URI=redis://a\n`);
  const { code, stderr } = await start();
  expect(code).toBe(1);
  expect(stderr).toEqual(['sardonyx: DOCS: got "maybe", takes one of on, off']);
});
