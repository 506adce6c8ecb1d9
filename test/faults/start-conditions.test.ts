import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { runServerToItsEnd, startServerProcess } from '../helpers/server-process.js';
import { faultWithoutServer } from './instruments/fault.js';

const isRoot = process.getuid?.() === 0;

/** Environments that prevent a start, and the expected lines. */
async function startsThatFail(): Promise<[Record<string, string>, RegExp[]][]> {
  return [
    [{ PORT: 'x' }, [/^sardonyx: PORT: got "x", takes /]],
    [
      { PORT: '70000', DOCS: 'yes', LOG_LEVEL: 'loud' },
      [/^sardonyx: PORT: /, /^sardonyx: DOCS: /, /^sardonyx: LOG_LEVEL: /],
    ],
    [{ MODELS_DIR: '/nowhere/at/all' }, [/^sardonyx: MODELS_DIR: .*\/nowhere\/at\/all.*ENOENT/]],
    [{ MODELS_DIR: 'package.json' }, [/^sardonyx: MODELS_DIR: .*package\.json.*ENOTDIR/]],
    [{ HOST: '203.0.113.7', AUTH: 'off' }, [/^sardonyx: HOST: .*203\.0\.113\.7/]],
    [{ HOST: 'no.such.host.invalid', AUTH: 'off' }, [/^sardonyx: HOST: .*no\.such\.host\.invalid/]],
  ];
}

faultWithoutServer(
  'S04',
  'a server that cannot start prints one line for each problem, and exits with 1',
  async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    const cases = await startsThatFail();
    cases.push([{ PORT: String(port) }, [new RegExp(`^sardonyx: PORT: .*127\\.0\\.0\\.1:${port} is taken`)]]);
    let lines = 0;
    const started = performance.now();
    for (const [environment, expected] of cases) {
      const { code, stderr } = await runServerToItsEnd(environment);
      expect(code, stderr.join()).toBe(1);
      expect(stderr.length, stderr.join()).toBe(expected.length);
      for (const [k, pattern] of expected.entries()) expect(stderr[k]).toMatch(pattern);
      lines += stderr.length;
    }
    taken.close();
    const seconds = (performance.now() - started) / 1_000 / cases.length;
    return `${seconds.toFixed(2)} s a start, lines checked ${lines}`;
  },
);

faultWithoutServer('S04', 'a server without a model runs, and is not ready', async () => {
  using folder = createRegistryFolder();
  await using server = await startServerProcess({ MODELS_DIR: folder.path });
  const ready = await fetch(`${server.url}/health/ready`);
  expect(ready.status).toBe(503);
  expect(await ready.json()).toEqual({ status: 'not_ready', reasons: ['no model can answer'] });
  expect((await fetch(`${server.url}/health/live`)).status).toBe(200);
  expect(server.stderr.join('\n')).toContain('There is no model in');
  return 'ready 503, live 200';
});

/** Serves the sample models under a command. Returns the status of a prediction and the seconds until it came. */
async function predictUnder(command: readonly string[], environment: Record<string, string>, cwd?: string) {
  const [file = '', ...more] = [...command, process.execPath, join(process.cwd(), 'dist/main.js')];
  const started = performance.now();
  const child = spawn(file, more, {
    env: { PORT: '0', ENV_FILE: '/dev/null', MODELS_DIR: join(process.cwd(), 'models'), ...environment },
    stdio: ['ignore', 'pipe', 'ignore'],
    ...(cwd && { cwd }),
  });
  const ended = once(child, 'close');
  let port: string | undefined;
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      port ??= /listening at http:[^"]*:(\d+)/.exec(line)?.[1];
      if (!line.includes('"msg":"models loaded"')) continue;
      const response = await fetch(`http://127.0.0.1:${port}/predict`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"age":42,"income":51234.5,"credit_score":688}',
      });
      return { status: response.status, seconds: (performance.now() - started) / 1_000 };
    }
    throw new Error('the server ended');
  } finally {
    child.kill();
    await ended;
  }
}

faultWithoutServer('S04', 'the server runs without HOME and in another working folder', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sardonyx-cwd-'));
  const { status, seconds } = await predictUnder([], {}, folder);
  rmSync(folder, { recursive: true });
  expect(status).toBe(200);
  return `${seconds.toFixed(2)} s`;
});

const other = ['setpriv', '--reuid=65532', '--regid=65532', '--clear-groups'];
const canBecomeAnother = isRoot && spawnSync('setpriv', [...other.slice(1), 'true']).status === 0;
const canMount = isRoot && spawnSync('unshare', ['-m', 'true']).status === 0;

if (canBecomeAnother) {
  faultWithoutServer('S04', 'the server runs as uid 65532', async () => {
    const { status, seconds } = await predictUnder(other, { HOME: '/nonexistent' });
    expect(status).toBe(200);
    return `${seconds.toFixed(2)} s`;
  });
} else test.skip('S04 the server runs as uid 65532: needs root and setpriv', () => undefined);

if (canMount) {
  faultWithoutServer(
    'S04',
    'the server runs on a read-only root, with 64 MB for temporary files',
    async () => {
      const script = [
        'mount -t tmpfs -o size=64m tmpfs /mnt',
        'mount -o remount,bind,ro / 2>/dev/null || mount -o remount,ro /',
        '! touch /sardonyx-probe 2>/dev/null',
        'exec "$@"',
      ].join(' && ');
      const command = ['unshare', '-m', 'sh', '-c', `mount --make-rprivate / && ${script}`, 'sh'];
      const { status, seconds } = await predictUnder(command, {
        PATH: process.env['PATH'] ?? '',
        TMPDIR: '/mnt',
      });
      expect(status).toBe(200);
      expect(existsSync('/sardonyx-probe')).toBe(false);
      return `${seconds.toFixed(2)} s`;
    },
  );
} else test.skip('S04 the server runs on a read-only root: needs root and unshare', () => undefined);

for (const workers of ['1', '2']) {
  faultWithoutServer(
    'S04',
    `SIGTERM ends the server although a module keeps each process alive, workers ${workers}`,
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'sardonyx-awake-'));
      const module = join(folder, 'awake.cjs');
      writeFileSync(module, 'setInterval(() => {}, 60_000);');
      try {
        await using server = await startServerProcess({
          NODE_OPTIONS: `--require=${module}`,
          WORKERS: workers,
          SHUTDOWN_TIMEOUT_MS: '2000',
        });
        const started = performance.now();
        const ended = once(server.child, 'close');
        server.child.kill('SIGTERM');
        expect((await ended)[0]).toBe(0);
        const seconds = (performance.now() - started) / 1_000;
        expect(server.stdout.at(-1)).toContain('"msg":"stopped"');
        expect(seconds).toBeLessThan(2);
        return `exit 0 after ${seconds.toFixed(2)} s (before the fix: never)`;
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );
}

for (const workers of ['1', '2']) {
  faultWithoutServer(
    'S04',
    `SIGUSR1 and SIGUSR2 do nothing and SIGQUIT stops the server, workers ${workers}`,
    async () => {
      await using server = await startServerProcess({ WORKERS: workers });
      for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) {
        server.child.kill(signal);
        await new Promise((resolve) => setTimeout(resolve, 200));
        expect((await fetch(`${server.url}/health/ready`)).status, signal).toBe(200);
      }
      expect(server.stderr.join('\n')).not.toContain('Debugger');
      const ended = once(server.child, 'close');
      server.child.kill('SIGQUIT');
      expect((await ended)[0]).toBe(0);
      expect(server.stdout.at(-1)).toContain('"msg":"stopped"');
      return 'ready after SIGUSR1 and SIGUSR2, exit 0 after SIGQUIT';
    },
  );
}
