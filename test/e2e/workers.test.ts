import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, describe, expect, test } from 'vitest';
import { readMetric } from '../helpers/ask.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { isAlive } from '../helpers/processes.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import {
  runServerToItsEnd,
  type ServerProcess,
  startServerProcess,
  waitForLine,
} from '../helpers/server-process.js';

// One small model is enough: these tests look at the processes.
const folder = createRegistryFolder();
folder.addVersion('double', '1', {
  manifest: {
    task: 'regression',
    features: [{ name: 'x', type: 'number', example: 1 }],
    runtime: { cache: true },
  },
  model: linearRegression([2]),
});
const two = { WORKERS: '2', MODELS_DIR: folder.path };
afterAll(() => folder[Symbol.dispose]());

/** Runs a script in each process of a server before the server itself. */
const preload = (script: string) => ({
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(script)}`,
});
/** The second worker starts only when it gets SIGUSR2. */
const holdSecondWorker = preload(
  "if (process.env.SARDONYX_WORKER === '2') await new Promise((go) => { const hold = setInterval(() => undefined, 1e6); process.once('SIGUSR2', () => { clearInterval(hold); go(); }); console.log(JSON.stringify({ held: process.pid })); })",
);

/** Uses a new connection for each request. */
async function predict(server: ServerProcess, x = 21): Promise<number> {
  const response = await fetch(`${server.url}/predict`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({ x }),
  });
  const { prediction } = (await response.json()) as { prediction: number };
  return prediction;
}

async function getJson(server: ServerProcess, path: string) {
  const response = await fetch(server.url + path, { headers: { connection: 'close' } });
  return { status: response.status, body: await response.json() };
}

/** The pid of the latest listening worker of each slot, by the slot's number. */
function pidsOf(server: ServerProcess): Record<number, number> {
  const lines = server.stdout
    .filter((line) => line.includes('worker listens'))
    .map((line) => JSON.parse(line));
  return Object.fromEntries(lines.map(({ worker, pid }) => [worker, pid]));
}

async function killWorker(server: ServerProcess, worker: number, signal: NodeJS.Signals): Promise<void> {
  const listened = server.stdout.filter((line) => line.includes('worker listens')).length;
  process.kill(pidsOf(server)[worker] as number, signal);
  await waitForLine(server, 'worker listens', listened + 1);
}

describe('WORKERS=2', () => {
  test('answers from both processes behind one port, and logs one address', async () => {
    await using server = await startServerProcess({ ...two, LOG_LEVEL: 'debug' });
    const answering = new Set<number>();
    while (answering.size < 2) {
      expect(await predict(server)).toBe(42);
      for (const line of server.stdout) {
        if (line.includes('/predict')) answering.add(JSON.parse(line).worker);
      }
    }
    expect([...answering].sort()).toEqual([1, 2]);
    expect(server.stdout.filter((line) => line.includes('listening at'))).toHaveLength(1);
    expect(server.stderr.filter((line) => line.includes('Sardonyx answers at'))).toEqual([
      expect.stringMatching(new RegExp(`^Sardonyx answers at ${server.url} after \\d+ ms, with 2 workers$`)),
    ]);
    expect(await getJson(server, '/health')).toMatchObject({
      body: { status: 'ok', workers: { running: 2, wanted: 2 } },
    });
  });

  test('adds up the counts of its workers, in the metrics of either', async () => {
    await using server = await startServerProcess(two);
    for (let k = 0; k < 20; k += 1) await predict(server);
    for (let k = 0; k < 4; k += 1) {
      expect(await readMetric(server.url, 'predictions_total', 'status="ok"')).toBe(20);
      expect(await readMetric(server.url, 'prediction_latency_seconds_count')).toBe(20);
    }
    expect(await readMetric(server.url, 'model_loads_total')).toBe(2);
    expect(await readMetric(server.url, 'model_info')).toBe(1);
    expect(await readMetric(server.url, 'workers_running')).toBe(2);
    expect(await readMetric(server.url, 'metrics_workers_answered')).toBe(2);
  });

  test('clears the caches of all workers, through either of them', async () => {
    await using server = await startServerProcess({ ...two, CACHE: 'memory' });
    const ask = async () => {
      const response = await fetch(`${server.url}/predict`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', connection: 'close' },
        body: '{"x":21}',
      });
      await response.arrayBuffer();
      return response.headers.get('x-cache');
    };
    // New connections go to the workers in turn.
    expect([await ask(), await ask(), await ask(), await ask()]).toEqual(['miss', 'miss', 'hit', 'hit']);
    const response = await fetch(`${server.url}/admin/cache?model=double`, { method: 'DELETE' });
    expect(await response.json()).toEqual({ models: ['double'], entries: 2 });
    expect([await ask(), await ask(), await ask(), await ask()].sort()).toEqual([
      'hit',
      'hit',
      'miss',
      'miss',
    ]);
  });

  test('replaces a killed worker, with a pause from the second death on, and keeps its counts', async () => {
    await using server = await startServerProcess(two);
    for (let k = 0; k < 10; k += 1) await predict(server);
    expect(await readMetric(server.url, 'predictions_total')).toBe(10);
    const first = pidsOf(server)[1] as number;
    for (let k = 0; k < 3; k += 1) await killWorker(server, 1, 'SIGKILL');
    expect(isAlive(first)).toBe(false);
    const ends = server.stdout.filter((line) => line.includes('a worker has ended'));
    expect(ends.map((line) => JSON.parse(line))).toMatchObject([
      { worker: 1, ended_pid: first, how: 'SIGKILL', pause_ms: 0 },
      { worker: 1, how: 'SIGKILL', pause_ms: 100 },
      { worker: 1, how: 'SIGKILL', pause_ms: 200 },
    ]);
    for (let k = 0; k < 4; k += 1) expect(await predict(server)).toBe(42);
    expect(await readMetric(server.url, 'predictions_total')).toBe(14);
    expect(await readMetric(server.url, 'worker_restarts_total')).toBe(3);
    expect(await getJson(server, '/health/ready')).toMatchObject({ status: 200 });
  });

  test('replaces a worker that gets SIGTERM', async () => {
    await using server = await startServerProcess(two);
    await killWorker(server, 2, 'SIGTERM');
    expect(server.stdout.find((line) => line.includes('a worker has ended'))).toContain('exit code 0');
    expect(await getJson(server, '/health')).toMatchObject({ body: { workers: { running: 2 } } });
  });

  test('is ready once each worker has listened once, and stays ready while one is replaced', async () => {
    await using server = await startServerProcess(
      { ...two, ...holdSecondWorker },
      { listening: /worker listens at http:[^"]*:(\d+)/ },
    );
    const starting = await getJson(server, '/health/ready');
    expect(starting.status).toBe(503);
    const reasons = expect.arrayContaining(['worker 2 has not listened yet']);
    expect(starting.body).toEqual({ status: 'not_ready', reasons });
    expect(await getJson(server, '/health')).toMatchObject({
      body: { status: 'degraded', workers: { running: 1, wanted: 2 } },
    });
    await release(server, 1);
    await waitForLine(server, 'models loaded');
    expect((await getJson(server, '/health/ready')).status).toBe(200);

    process.kill(pidsOf(server)[2] as number, 'SIGKILL');
    await waitForLine(server, '"held"', 2);
    expect((await getJson(server, '/health/ready')).status).toBe(200);
    expect(await getJson(server, '/health')).toMatchObject({
      body: { status: 'degraded', workers: { running: 1, wanted: 2 } },
    });
    expect(await readMetric(server.url, 'workers_running')).toBe(1);
    await release(server, 2);
    await waitForLine(server, 'worker listens', 3);
    // The log line comes a moment before the message to the supervisor.
    await expect
      .poll(() => getJson(server, '/health'), { timeout: 15_000 })
      .toMatchObject({ body: { status: 'ok' } });
  });

  test('names the worker whose models are not enough', async () => {
    using empty = createRegistryFolder();
    await using server = await startServerProcess({ ...two, MODELS_DIR: empty.path });
    expect(await getJson(server, '/health/ready')).toEqual({
      status: 503,
      body: {
        status: 'not_ready',
        reasons: ['worker 1: no model can answer', 'worker 2: no model can answer'],
      },
    });
  });
});

/** Lets the nth held worker start. */
async function release(server: ServerProcess, nth: number): Promise<void> {
  await waitForLine(server, '"held"', nth);
  const held = server.stdout.filter((line) => line.includes('"held"'));
  process.kill(JSON.parse(held[nth - 1] as string).held, 'SIGUSR2');
}

describe('WORKERS=2 that gets a signal to stop', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('exits with 0 after %s and leaves no process', async (signal) => {
    await using server = await startServerProcess(two);
    await predict(server);
    const pids = Object.values(pidsOf(server));
    server.child.kill(signal);
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(server.stdout.at(-1)).toContain('"msg":"stopped"');
    expect(pids.map(isAlive)).toEqual([false, false]);
  });

  test('replaces no worker if the signal goes to the whole process group, as with Ctrl-C', async () => {
    await using server = await startServerProcess(two);
    const pids = Object.values(pidsOf(server));
    for (const pid of [server.child.pid as number, ...pids]) process.kill(pid, 'SIGINT');
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(server.stdout.join('\n')).not.toContain('a worker has ended');
  });

  test('exits with 0 while a worker is still starting', async () => {
    await using server = await startServerProcess(
      { ...two, ...holdSecondWorker },
      { listening: /worker listens at http:[^"]*:(\d+)/ },
    );
    await waitForLine(server, '"held"');
    server.child.kill('SIGTERM');
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(server.stderr).toEqual([]);
  });

  test('is not ready, but still answers, for SHUTDOWN_DELAY_MS', async () => {
    await using server = await startServerProcess({ ...two, SHUTDOWN_DELAY_MS: '500' });
    server.child.kill('SIGTERM');
    await waitForLine(server, '"msg":"stopping"', 3);
    expect(await getJson(server, '/health/ready')).toEqual({
      status: 503,
      body: { status: 'not_ready', reasons: ['the server is draining'] },
    });
    expect(await predict(server)).toBe(42);
    expect((await server.ended).code).toBe(0);
  });

  test('kills a worker that does not end, and exits with 1', async () => {
    // The second worker hangs in its handler of the signal.
    const stuck = preload(
      "if (process.env.SARDONYX_WORKER === '2') process.on('SIGTERM', () => { for (;;); })",
    );
    await using server = await startServerProcess({ ...two, ...stuck, SHUTDOWN_TIMEOUT_MS: '0' });
    const pids = Object.values(pidsOf(server));
    server.child.kill('SIGTERM');
    expect(await server.ended).toEqual({ code: 1, signal: null });
    expect(pids.map(isAlive)).toEqual([false, false]);
  });
});

describe('WORKERS=2 that cannot start', () => {
  test.each([
    [{ WORKERS: '0' }, /^sardonyx: WORKERS: got "0", takes a whole number from 1 to 256$/],
    [
      { MODELS_DIR: '/nowhere/at/all' },
      /^sardonyx: MODELS_DIR: the folder \/nowhere\/at\/all cannot be read/,
    ],
    [
      { HOST: 'no.such.host.invalid', AUTH: 'off' },
      /^sardonyx: HOST: the name no\.such\.host\.invalid cannot be resolved/,
    ],
    [
      preload("if (process.env.SARDONYX_WORKER === '2') process.kill(process.pid, 'SIGKILL')"),
      /^sardonyx: worker 2 ended before it listened \(SIGKILL\)$/,
    ],
  ])('because of %o writes the reason once and exits with 1', async (environment, expected) => {
    const { code, stderr, stdout } = await runServerToItsEnd({ ...two, ...environment });
    expect(stderr).toEqual([expect.stringMatching(expected)]);
    expect(code).toBe(1);
    expect(stdout.join('\n')).not.toContain('a worker has ended');
  });

  test('because the port is taken writes the reason once, before any model is loaded', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    const { code, stderr, stdout } = await runServerToItsEnd({ ...two, PORT: String(port) });
    taken.close();
    expect(code).toBe(1);
    expect(stderr).toEqual([expect.stringContaining(`PORT: 127.0.0.1:${port} is taken`)]);
    expect(stdout).toEqual([]);
  });
});
