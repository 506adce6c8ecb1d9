import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { findFreePort } from '../helpers/free-port.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { childrenOf, memoryMb } from '../helpers/processes.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { faultWithoutServer } from './instruments/fault.js';
import { isFullSize, sizeNote } from './instruments/full-size.js';

// Real servers whose log cannot be written. They are started by hand, since `fault()` would read their log.

const shutdownTimeoutMs = 1_000;
const requests = isFullSize ? 20_000 : 3_000;
const headers = { 'content-type': 'application/json' };
let folder: string;
let registry: ReturnType<typeof createRegistryFolder>;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sardonyx-log-'));
  registry = createRegistryFolder();
  const manifest = { task: 'regression' as const, features: [{ name: 'a', type: 'number' as const }] };
  registry.addVersion('inline', '1', { manifest, model: linearRegression([2]) });
  registry.addVersion('isolated', '1', {
    manifest: { ...manifest, runtime: { executor: 'isolated' } },
    model: linearRegression([3]),
  });
});
afterAll(() => {
  registry[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

interface Quiet {
  readonly child: ChildProcess;
  readonly url: string;
}

/** Starts a server whose log goes to `stdout`, and waits until it is ready. */
async function startQuiet(
  stdout: number | 'pipe' | 'ignore',
  environment: Record<string, string> = {},
  stderr: number | 'ignore' = 'ignore',
): Promise<Quiet> {
  const port = await findFreePort();
  const child = spawn(process.execPath, ['dist/main.js'], {
    env: {
      PATH: process.env['PATH'] ?? '',
      PORT: String(port),
      ENV_FILE: '/dev/null',
      MODELS_DIR: registry.path,
      CACHE: 'off',
      // One line for each request.
      LOG_LEVEL: 'debug',
      SHUTDOWN_TIMEOUT_MS: String(shutdownTimeoutMs),
      ...environment,
    },
    stdio: ['ignore', stdout, stderr],
  });
  const url = `http://127.0.0.1:${port}`;
  const isReady = () =>
    fetch(`${url}/health/ready`).then(
      ({ status }) => status === 200,
      () => false,
    );
  await vi.waitUntil(isReady, { timeout: 40_000, interval: 50 });
  return { child, url };
}

/** Requests predictions (inline and isolated) and probes. Returns how many were not answered with 200. */
async function countFailures({ url }: Quiet, count: number): Promise<number> {
  let failed = 0;
  const ask = async (path: string, init?: RequestInit) => {
    const status = await fetch(url + path, { ...init, signal: AbortSignal.timeout(5_000) }).then(
      async (answer) => (await answer.text()) && answer.status,
      () => 0,
    );
    if (status !== 200) failed += 1;
  };
  const post = { method: 'POST', headers, body: '{"a": 2}' };
  const ways = [
    () => ask('/models/inline/predict', post),
    () => ask('/models/isolated/predict', post),
    () => ask('/health/live'),
  ];
  for (let k = 0; k < count; k += 30) {
    await Promise.all(Array.from({ length: 30 }, (_unused, i) => ways[i % ways.length]?.()));
  }
  return failed;
}

/** Sends a request whose log line is long. */
async function askLong({ url }: Quiet): Promise<void> {
  await (await fetch(`${url}/${'x'.repeat(6_000)}`)).text();
}

async function readLost({ url }: Quiet): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^log_lines_lost_total (\d+)$/m.exec(text)?.[1]);
}

/** Seconds from SIGTERM to the end, which must be an exit with 0. */
async function stop({ child }: Quiet): Promise<number> {
  const started = performance.now();
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const [code, signal] = await ended;
  expect({ code, signal }).toEqual({ code: 0, signal: null });
  const seconds = (performance.now() - started) / 1_000;
  expect(seconds).toBeLessThan(shutdownTimeoutMs / 1_000 + 2);
  return seconds;
}

const parse = (text: string): Record<string, unknown>[] =>
  text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));

for (const workers of ['1', '2']) {
  const who = workers === '1' ? 'a server' : 'a supervisor and its workers';

  faultWithoutServer('L03', `${who} whose log is full answers requests, and ends`, async () => {
    const fd = openSync('/dev/full', 'w');
    const server = await startQuiet(fd, { WORKERS: workers });
    closeSync(fd);
    try {
      const failed = await countFailures(server, requests);
      expect(failed).toBe(0);
      await vi.waitUntil(async () => (await readLost(server)) >= requests, {
        timeout: 10_000,
        interval: 200,
      });
      const lost = await readLost(server);
      const seconds = await stop(server);
      return `full, ${workers} processes: failed ${failed} of ${requests}, lines lost ${lost}, end after ${seconds.toFixed(2)} s${sizeNote}`;
    } finally {
      server.child.kill('SIGKILL');
    }
  });

  faultWithoutServer('L03', `${who} whose log is not read answers requests, and ends`, async () => {
    const fifo = join(folder, `stalled-${workers}`);
    execFileSync('mkfifo', [fifo]);
    const fd = openSync(fifo, 'r+');
    const server = await startQuiet(fd, { WORKERS: workers });
    try {
      const before = memoryMb(server.child.pid, 'VmRSS');
      // Long lines, so that the waiting ones exceed their limit of memory.
      for (let k = 0; k < 3_000; k += 30)
        await Promise.all(Array.from({ length: 30 }, () => askLong(server)));
      const failed = await countFailures(server, requests);
      expect(failed).toBe(0);
      const grown = memoryMb(server.child.pid, 'VmRSS') - before;
      expect(grown).toBeLessThan(120);
      const lost = await readLost(server);
      expect(lost).toBeGreaterThan(0);
      const seconds = await stop(server);
      return `stalled, ${workers} processes: failed ${failed} of ${requests}, memory grown by ${grown.toFixed(0)} MB, lines lost ${lost}, end after ${seconds.toFixed(2)} s${sizeNote}`;
    } finally {
      server.child.kill('SIGKILL');
      closeSync(fd);
    }
  });

  faultWithoutServer('L03', `${who} whose log reader has gone answers requests, and ends`, async () => {
    const server = await startQuiet('pipe', { WORKERS: workers });
    try {
      server.child.stdout?.destroy();
      const failed = await countFailures(server, requests);
      expect(failed).toBe(0);
      await vi.waitUntil(async () => (await readLost(server)) > 0, { timeout: 10_000, interval: 200 });
      const lost = await readLost(server);
      const seconds = await stop(server);
      return `closed, ${workers} processes: failed ${failed} of ${requests}, lines lost ${lost}, end after ${seconds.toFixed(2)} s${sizeNote}`;
    } finally {
      server.child.kill('SIGKILL');
    }
  });
}

faultWithoutServer(
  'L03',
  'a server whose standard error is full or not read starts, answers requests, and ends',
  async () => {
    const fifo = join(folder, 'errors');
    execFileSync('mkfifo', [fifo]);
    const reader = openSync(fifo, 'r+');
    const filler = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
    expect(() => {
      for (;;) writeSync(filler, 'x'.repeat(4_096));
    }).toThrow('EAGAIN');
    const figures: string[] = [];
    for (const [name, stderr] of [
      ['full', openSync('/dev/full', 'w')],
      ['stalled', openSync(fifo, 'w')],
    ] as const) {
      const server = await startQuiet('ignore', {}, stderr);
      try {
        expect(await countFailures(server, 300)).toBe(0);
        figures.push(`${name}: end after ${(await stop(server)).toFixed(2)} s`);
      } finally {
        server.child.kill('SIGKILL');
        closeSync(stderr);
      }
    }
    for (const fd of [reader, filler]) closeSync(fd);
    return `standard error ${figures.join(', ')}`;
  },
);

faultWithoutServer('L03', 'an uncaught error ends a server whose log is not read', async () => {
  const fifo = join(folder, 'fatal');
  execFileSync('mkfifo', [fifo]);
  const fd = openSync(fifo, 'r+');
  const plugin = join(process.cwd(), 'test/faults/instruments/throw-at-signal.mjs');
  const server = await startQuiet(fd, { NODE_OPTIONS: `--import ${plugin}` });
  try {
    expect(await countFailures(server, 1_500)).toBe(0);
    const started = performance.now();
    const ended = once(server.child, 'exit');
    server.child.kill('SIGUSR2');
    expect((await ended)[0]).toBe(1);
    const seconds = (performance.now() - started) / 1_000;
    expect(seconds).toBeLessThan(shutdownTimeoutMs / 1_000 + 2);
    return `uncaught, stalled: end after ${seconds.toFixed(2)} s`;
  } finally {
    server.child.kill('SIGKILL');
    closeSync(fd);
  }
});

for (const workers of ['1', '2']) {
  const title = `SIGHUP reopens a renamed log in each process, and a pipe in its place blocks none, workers ${workers}`;
  faultWithoutServer('L03', title, async () => {
    const path = join(folder, `renamed-${workers}`);
    const fd = openSync(path, 'a');
    const server = await startQuiet(fd, { WORKERS: workers }, fd);
    closeSync(fd);
    try {
      const pids = [server.child.pid as number, ...childrenOf(server.child.pid as number)];
      const holders = (name: string) =>
        pids.filter((pid) => [1, 2].some((k) => readlinkSync(`/proc/${pid}/fd/${k}`) === name)).length;
      renameSync(path, `${path}.1`);
      server.child.kill('SIGHUP');
      await vi.waitUntil(() => holders(`${path}.1`) === 0, { timeout: 5_000 });
      renameSync(path, `${path}.2`);
      execFileSync('mkfifo', [path]);
      server.child.kill('SIGHUP');
      await vi.waitUntil(() => readFileSync(`${path}.2`, 'utf8').includes('cannot be reopened'), {
        timeout: 5_000,
      });
      expect(await countFailures(server, 300)).toBe(0);
      const seconds = await stop(server);
      return `processes that hold the old file 0 of ${pids.length}, end after ${seconds.toFixed(2)} s`;
    } finally {
      server.child.kill('SIGKILL');
    }
  });
}

const canMount = process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'true']).status === 0;
const fullDisk = 'a log on a full disk resumes when there is room, and says how many lines were lost';
if (canMount) {
  faultWithoutServer('L03', fullDisk, async () => {
    const disk = join(folder, 'disk');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', disk]);
    let server: Quiet | undefined;
    try {
      execFileSync('dd', ['if=/dev/zero', `of=${disk}/ballast`, 'bs=1k', 'count=80', 'status=none']);
      const path = join(disk, 'log');
      const fd = openSync(path, 'a');
      server = await startQuiet(fd);
      closeSync(fd);
      const failed = await countFailures(server, 1_200);
      expect(failed).toBe(0);
      await vi.waitUntil(async () => (await readLost(server as Quiet)) > 0, {
        timeout: 10_000,
        interval: 200,
      });
      rmSync(join(disk, 'ballast'));
      const read = () => readFileSync(path, 'utf8');
      await vi.waitUntil(() => read().includes('lines of the log were lost'), {
        timeout: 10_000,
        interval: 50,
      });
      const seconds = await stop(server);
      const text = read();
      const broken = text.split('\n').filter((line) => line !== '' && !isJson(line)).length;
      expect(broken).toBeLessThanOrEqual(1);
      const lines = text.split('\n').flatMap((line) => (isJson(line) ? parse(line) : []));
      expect(lines.at(-1)).toMatchObject({ msg: 'stopped' });
      const lost = lines.reduce(
        (sum, { msg, lines: n }) => (String(msg).includes('lost') ? sum + Number(n) : sum),
        0,
      );
      expect(lost).toBeGreaterThan(100);
      return `disk full: failed ${failed} of 1200, lines lost ${lost}, as the log says, broken lines ${broken}, end after ${seconds.toFixed(2)} s`;
    } finally {
      server?.child.kill('SIGKILL');
      if (server !== undefined && server.child.exitCode === null)
        await once(server.child, 'exit').catch(() => 0);
      execFileSync('umount', ['-l', disk]);
    }
  });
} else test.skip(`L03 ${fullDisk}: needs root and unshare`, () => undefined);

function isJson(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}
