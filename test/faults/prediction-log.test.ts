import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { readMetric } from '../helpers/ask.js';
import { findFreePort } from '../helpers/free-port.js';
import { secretOf } from '../helpers/keys.js';
import { linearRegression, nanAt } from '../helpers/onnx-models.js';
import { childrenOf, memoryMb } from '../helpers/processes.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { type ServerProcess, startServerProcess } from '../helpers/server-process.js';
import { faultWithoutServer } from './instruments/fault.js';
import { runLoad } from './instruments/load-generator.js';
import { rawPost, sendRaw } from './instruments/raw-http.js';

// L01, L02, and A04 for the columns of the prediction log.

let folder: string;
let registry: ReturnType<typeof createRegistryFolder>;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sardonyx-prediction-log-'));
  registry = createRegistryFolder();
  const features = [
    { name: 'a', type: 'number' as const },
    { name: 'secret', type: 'number' as const, sensitive: true, default: 1 },
  ];
  registry.addVersion('plain', '1', {
    manifest: { task: 'regression', features },
    model: linearRegression([2, 1]),
  });
  registry.addVersion('nan', '1', {
    manifest: { task: 'regression', features: [{ name: 'x', type: 'number', example: 1 }] },
    model: nanAt(),
  });
});
afterAll(() => {
  registry[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

const headers = { 'content-type': 'application/json' };
const environment = () => ({ MODELS_DIR: registry.path, DEFAULT_MODEL: 'plain', CACHE: 'off' });

/** Predicts, 30 requests at a time. Returns how many were not answered with 200. */
async function countFailures(url: string, count: number): Promise<number> {
  let failed = 0;
  const ask = async (a: number) => {
    const body = JSON.stringify({ a });
    const status = await fetch(`${url}/predict`, {
      method: 'POST',
      headers,
      body,
      signal: AbortSignal.timeout(5_000),
    }).then(
      async (answer) => (await answer.text()) && answer.status,
      () => 0,
    );
    if (status !== 200) failed += 1;
  };
  for (let k = 0; k < count; k += 30)
    await Promise.all(Array.from({ length: 30 }, (_unused, i) => ask(k + i)));
  return failed;
}

/** Makes `rows` lines at once, by a batch. */
async function logRows(url: string, rows: number): Promise<void> {
  const body = Array.from({ length: rows }, (_unused, k) => `{"a":${k}}\n`).join('');
  const answer = await fetch(`${url}/predict/batch`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/x-ndjson', prefer: 'wait=60' },
  });
  expect(JSON.parse(await answer.text()).completed_instances).toBe(rows);
}

async function countLines(url: string, result: 'written' | 'dropped'): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(
    new RegExp(`^prediction_log_lines_total{result="${result}"} (\\d+)$`, 'm').exec(text)?.[1] ?? 0,
  );
}

async function stop(server: ServerProcess): Promise<number> {
  const started = performance.now();
  server.child.kill('SIGTERM');
  expect((await server.ended).code).toBe(0);
  return (performance.now() - started) / 1_000;
}

/** The lines of all files of a log, and how many of them are broken. */
function readAll(path: string): { lines: Record<string, unknown>[]; broken: number } {
  const names = readdirSync(join(path, '..')).filter((name) =>
    name.startsWith(path.slice(folder.length + 1)),
  );
  const texts = names.flatMap((name) => {
    const file = join(path, '..', name);
    const bytes = name.endsWith('.gz') ? gunzipSync(readFileSync(file)) : readFileSync(file);
    return bytes.toString().split('\n').filter(Boolean);
  });
  const lines = texts.flatMap((text) => {
    try {
      return [JSON.parse(text)];
    } catch {
      return [];
    }
  });
  return { lines, broken: texts.length - lines.length };
}

const load = (server: ServerProcess) =>
  runLoad(server, { path: '/predict', body: { a: 1 }, seconds: 3, perSecond: 200 });

const canMount = process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'true']).status === 0;

function onDisk(title: string, use: (disk: string) => Promise<string>, options = 'size=1m'): void {
  if (!canMount) {
    test.skip(`L01 ${title}: needs root and unshare`, () => undefined);
    return;
  }
  faultWithoutServer(
    'L01',
    title,
    async () => {
      const disk = mkdtempSync(join(folder, 'disk-'));
      execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', disk]);
      try {
        return await use(disk);
      } finally {
        execFileSync('umount', ['-l', disk]);
      }
    },
    120_000,
  );
}

onDisk(
  'a prediction log on a full disk costs no prediction, and continues when there is room',
  async (disk) => {
    const path = join(disk, 'log');
    await using server = await startServerProcess({
      ...environment(),
      PREDICTION_LOG: path,
      PREDICTION_LOG_BATCHES: 'on',
    });
    const before = await load(server);
    await logRows(server.url, 40_000);
    await vi.waitUntil(async () => (await countLines(server.url, 'dropped')) > 0, { timeout: 20_000 });
    const after = await load(server);
    expect([before.ok, after.ok]).toEqual([before.asked, after.asked]);
    const failures = await readMetric(server.url, 'prediction_log_failures_total');
    expect(failures).toBeGreaterThan(0);
    const dropped = await countLines(server.url, 'dropped');
    execFileSync('mount', ['-o', 'remount,size=64m', disk]);
    const written = await countLines(server.url, 'written');
    await vi.waitUntil(async () => (await countLines(server.url, 'written')) > written + 5_000, {
      timeout: 20_000,
    });
    expect(server.stdout.filter((line) => line.includes('the prediction log fails'))).toHaveLength(1);
    const seconds = await stop(server);
    const text = readFileSync(path, 'utf8').split('\n');
    const broken = text.filter((line) => line !== '' && !isJson(line)).length;
    expect(broken).toBeLessThanOrEqual(1);
    return `full: failed 0 of ${before.asked + after.asked}, p99 ${before.serverP99.toFixed(2)} → ${after.serverP99.toFixed(2)} ms, lines dropped ${dropped}, broken ${broken}, end after ${seconds.toFixed(2)} s`;
  },
);

onDisk(
  'a server starts with its prediction log on a read-only disk, and logs once the disk is writable',
  async (disk) => {
    execFileSync('mount', ['-o', 'remount,ro', disk]);
    const path = join(disk, 'log');
    await using server = await startServerProcess({ ...environment(), PREDICTION_LOG: path });
    expect(await countFailures(server.url, 300)).toBe(0);
    expect(server.stdout.some((line) => line.includes('the prediction log fails: EROFS'))).toBe(true);
    expect(existsSync(path)).toBe(false);
    execFileSync('mount', ['-o', 'remount,rw', disk]);
    await vi.waitUntil(async () => (await countLines(server.url, 'written')) === 300, { timeout: 10_000 });
    await stop(server);
    return 'read-only: failed 0 of 300, lines dropped 0';
  },
);

faultWithoutServer(
  'L01',
  'a prediction log that is renamed again and again under load loses no line',
  async () => {
    const path = join(folder, 'renamed');
    await using server = await startServerProcess({ ...environment(), PREDICTION_LOG: path });
    let isOver = false;
    const renaming = (async () => {
      let count = 0;
      for (; !isOver; count += 1) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        if (existsSync(path)) renameSync(path, `${path}.old-${count}`);
      }
      return count;
    })();
    const result = await load(server);
    isOver = true;
    const renames = await renaming;
    expect(result.ok).toBe(result.asked);
    await stop(server);
    const { lines, broken } = readAll(path);
    expect([lines.length, broken]).toEqual([result.asked, 0]);
    return `renamed ${renames} times: lines ${lines.length} of ${result.asked}, p99 ${result.serverP99.toFixed(2)} ms`;
  },
);

/** Starts a server whose standard output has both logs. */
async function startWithStdout(stdout: number | 'pipe') {
  const port = await findFreePort();
  const child = spawn(process.execPath, ['dist/main.js'], {
    env: {
      PATH: process.env['PATH'] ?? '',
      PORT: String(port),
      ENV_FILE: '/dev/null',
      STATE_DIR: join(folder, `state-${port}`),
      SHUTDOWN_TIMEOUT_MS: '1000',
      ...environment(),
      PREDICTION_LOG: 'stdout',
      PREDICTION_LOG_BATCHES: 'on',
    },
    stdio: ['ignore', stdout, 'ignore'],
  });
  const url = `http://127.0.0.1:${port}`;
  const isReady = () =>
    fetch(`${url}/health/ready`).then(
      ({ status }) => status === 200,
      () => false,
    );
  await vi.waitUntil(isReady, { timeout: 40_000, interval: 50 });
  return { child, url, port };
}

for (const how of ['not read', 'closed'] as const) {
  faultWithoutServer(
    'L01',
    `a prediction log to a standard output that is ${how} costs no prediction, and memory stays bounded`,
    async () => {
      const fifo = join(folder, `fifo-${how.replace(' ', '-')}`);
      execFileSync('mkfifo', [fifo]);
      const fd = openSync(fifo, 'r+');
      const server = await startWithStdout(how === 'closed' ? 'pipe' : fd);
      try {
        if (how === 'closed') server.child.stdout?.destroy();
        await logRows(server.url, 20_000);
        const before = memoryMb(server.child.pid, 'VmRSS');
        await logRows(server.url, 60_000);
        const failed = await countFailures(server.url, 900);
        expect(failed).toBe(0);
        const dropped = await countLines(server.url, 'dropped');
        expect(dropped).toBeGreaterThan(30_000);
        const grown = memoryMb(server.child.pid, 'VmRSS') - before;
        expect(grown).toBeLessThan(120);
        const started = performance.now();
        const ended = once(server.child, 'exit');
        server.child.kill('SIGTERM');
        expect((await ended)[0]).toBe(0);
        const seconds = (performance.now() - started) / 1_000;
        expect(seconds).toBeLessThan(5);
        return `standard output ${how}: failed ${failed} of 900, memory grown by ${grown.toFixed(0)} MB, lines dropped ${dropped}, end after ${seconds.toFixed(2)} s`;
      } finally {
        server.child.kill('SIGKILL');
        closeSync(fd);
      }
    },
    120_000,
  );
}

faultWithoutServer(
  'L02',
  'a SIGKILL of all processes while they log cuts at most one line, and the next start continues the file',
  async () => {
    const rounds = 3;
    const path = join(folder, 'killed');
    for (let round = 0; round < rounds; round += 1) {
      await using server = await startServerProcess({ ...environment(), PREDICTION_LOG: path, WORKERS: '2' });
      const loading = load(server);
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      const pids = [server.child.pid as number, ...childrenOf(server.child.pid as number)];
      for (const pid of pids) process.kill(pid, 'SIGKILL');
      await server.ended;
      await loading;
    }
    const { lines, broken } = readAll(path);
    expect(lines.length).toBeGreaterThan(100 * rounds);
    expect(broken).toBeLessThanOrEqual(1);
    return `killed ${rounds} times, 2 workers: ${lines.length} lines, broken ${broken}`;
  },
  120_000,
);

faultWithoutServer(
  'L02',
  'several workers write and rotate one prediction log with every line whole and once',
  async () => {
    const path = join(folder, 'shared');
    await using server = await startServerProcess({
      ...environment(),
      PREDICTION_LOG: path,
      PREDICTION_LOG_BATCHES: 'on',
      PREDICTION_LOG_MAX_BYTES: '65536',
      PREDICTION_LOG_KEEP: '10000',
      WORKERS: '3',
    });
    const rows = 20_000;
    const batches = Promise.all(Array.from({ length: 4 }, () => logRows(server.url, rows / 4)));
    const failed = await countFailures(server.url, 1_500);
    await batches;
    expect(failed).toBe(0);
    await stop(server);
    const { lines, broken } = readAll(path);
    const ids = new Set(lines.map((line) => line['prediction_id']));
    expect([lines.length, ids.size, broken]).toEqual([rows + 1_500, rows + 1_500, 0]);
    const files = readdirSync(folder).filter((name) => name.startsWith('shared')).length;
    expect(files).toBeGreaterThan(20);
    return `3 workers: ${lines.length} lines in ${files} files, broken ${broken}, twice 0, lost 0`;
  },
  120_000,
);

const key = secretOf('CANARY-key');
const person = 4815162368;
const name = 'Ada Personal';
faultWithoutServer(
  'A04',
  'the prediction log has personal values only in the column request, sensitive ones and keys nowhere',
  async () => {
    const path = join(folder, 'canaries');
    await using server = await startServerProcess({
      ...environment(),
      PREDICTION_LOG: path,
      PREDICTION_LOG_OMIT: 'nan.x',
    });
    const cases: readonly (readonly [string, string])[] = [
      ['/predict', `{"a":1,"secret":${person}}`],
      ['/predict', `{"a":"${name}","secret":"${key}"}`],
      ['/predict', `{"a":"${key}","secret":${person}}`],
      ['/predict', `{"a":{"deep":"${key}"},"secret":[${person}]}`],
      ['/predict', `{"a":1,"${name}":"${key}","other":${person}}`],
      ['/predict', `["${name}","${key}"]`],
      ['/predict', `"${name} ${key}"`],
      ['/predict', `{"a":1,"secret":${person}`],
      ['/models/nan/predict', `{"x":-${person}}`],
      ['/models/nan/predict', `{"x":"${name}"}`],
      ['/v1/models/plain:predict', `{"instances":[{"a":1,"secret":${person}},{"a":"${name}","secret":2}]}`],
      [`/models/${key}/predict`, `{"a":${person}}`],
    ];
    const codes = new Set<number>();
    for (const [target, body] of cases) {
      const answer = await sendRaw(
        server.port,
        rawPost(target, body, [
          'Content-Type: application/json',
          `X-API-Key: ${key}`,
          `X-Request-Id: ${key}`,
        ]),
        5_000,
      );
      codes.add(answer.status);
    }
    expect([...codes].sort()).toEqual([200, 400, 404, 422]);
    await stop(server);
    const { lines } = readAll(path);
    expect(lines.length).toBeGreaterThan(8);
    const leaks = lines.filter((line) => {
      const {
        request,
        prediction: _answer,
        ...others
      } = line as {
        request?: Record<string, unknown>;
        prediction?: unknown;
      };
      const inOthers = /CANARY|personal|4815162368|4\.81516/i.test(JSON.stringify(others));
      return (
        inOthers ||
        /CANARY/.test(JSON.stringify(request ?? {})) ||
        request?.['secret'] !== undefined ||
        request?.['x'] !== undefined
      );
    });
    expect(leaks).toEqual([]);
    expect(lines.some((line) => JSON.stringify(line['request']).includes(name))).toBe(true);
    return `${cases.length} requests, ${lines.length} lines, leaks ${leaks.length}`;
  },
);

function isJson(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}
