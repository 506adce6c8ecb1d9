import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { FileJobStore } from '../../src/jobs/files/file-job-store.js';
import { linearRegression, wholeRemainderPlus } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { startServerProcess } from '../helpers/server-process.js';
import { countWrong, numberedRows, readJob, submitJob, untilJob } from './instruments/batch-client.js';
import { faultWithoutServer } from './instruments/fault.js';
import { isFullSize, sizeNote } from './instruments/full-size.js';
import { p99 } from './instruments/percentile.js';

// Jobs whose model breaks, jobs in great numbers, and a disk that is full.

let registry: ReturnType<typeof createRegistryFolder>;
let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'sardonyx-jobs-'));
  registry = createRegistryFolder();
  registry.addVersion('double', '1', {
    manifest: { task: 'regression', features: [{ name: 'a', type: 'number' }] },
    model: linearRegression([2]),
  });
  const whole = { type: 'integer' as const, minimum: -(2 ** 31), maximum: 2 ** 31 - 1 };
  registry.addVersion('fragile', '1', {
    manifest: {
      task: 'regression',
      features: [
        { name: 'a', ...whole, example: 7 },
        { name: 'b', ...whole, example: 2 },
        { name: 'c', ...whole, example: 1 },
      ],
      runtime: { executor: 'isolated' },
    },
    model: wholeRemainderPlus(),
  });
  registry.write('aliases.json', { default: 'double' });
});
afterAll(() => {
  registry[Symbol.dispose]();
  rmSync(root, { recursive: true, force: true });
  // At full size there are 100,000 folders.
}, 300_000);
const settings = (name: string, more: Record<string, string> = {}) => ({
  MODELS_DIR: registry.path,
  STATE_DIR: join(root, name),
  ...more,
});

/** The latencies of single rows, one after another, until `stop` is aborted. */
async function predictUntil(url: string, stop: AbortSignal): Promise<number[]> {
  const latencies: number[] = [];
  while (!stop.aborted) {
    const started = performance.now();
    const { status } = await fetch(`${url}/predict`, {
      method: 'POST',
      body: '{"a":1}',
      headers: { 'content-type': 'application/json' },
    });
    expect(status).toBe(200);
    latencies.push(performance.now() - started);
    await pause(5);
  }
  return latencies;
}

faultWithoutServer(
  'J05',
  'a job that ends the process of its model each time fails with the reason, and blocks no other job',
  async () => {
    await using server = await startServerProcess(settings('fragile'));
    const fatal = Array.from({ length: 400 }, (_unused, k) => `{"a":${-(2 ** 31)},"b":-1,"c":${k}}\n`).join(
      '',
    );
    const broken = await submitJob(server.url, fatal, { path: '/models/fragile/predict/batch' });
    const started = performance.now();
    const other = await submitJob(server.url, numberedRows(20_000));
    await untilJob(server.url, other.job_id);
    const seconds = (performance.now() - started) / 1_000;
    expect((await readJob(server.url, broken.job_id)).status).toBe('running');
    const job = await untilJob(server.url, broken.job_id, { timeoutMs: 300_000 });
    const minutes = (performance.now() - started) / 60_000;
    expect([job.status, job.error?.code]).toEqual(['failed', 'executor_lost']);
    return `failed after 5 attempts and ${minutes.toFixed(1)} min: ${job.error?.detail} Another job of 20,000 rows ended after ${seconds.toFixed(1)} s`;
  },
  360_000,
);

const waiting = isFullSize ? 100_000 : 5_000;
faultWithoutServer(
  'J05',
  'very many waiting jobs do not slow single rows down, and all of them end',
  async () => {
    const stateDir = join(root, 'many');
    const quiet = { onEnd: () => 0, onChunk: () => 0, onRetry: () => 0, onTrouble: () => 0 };
    const store = new FileJobStore({
      stateDir,
      maxOpenJobs: 1_000_000,
      keepMs: 1e9,
      minFreeBytes: 0,
      events: quiet,
    });
    await using first = await startServerProcess(settings('identity'));
    const { models } = (await (await fetch(`${first.url}/models`)).json()) as {
      models: { name: string; versions: { identity: string }[] }[];
    };
    const identity = models.find(({ name }) => name === 'double')?.versions[0]?.identity as string;
    const rows = Buffer.from('{"a":21}\n');
    for (let k = 0; k < waiting; k += 1) {
      const draft = await store.begin();
      await draft.add(rows, { rows: 1, bytes: rows.length });
      // Clients that share the server.
      const owner = `client ${k % 100}`;
      await draft.accept({ owner, model: 'double', version: '1', identity, requestId: 'r' });
    }
    await store.close();
    const rest = new AbortController();
    const idle = predictUntil(first.url, rest.signal);
    await pause(2_000);
    rest.abort();
    await using server = await startServerProcess(settings('many', { JOBS_MAX_OPEN: '1000000' }));
    const started = performance.now();
    const stop = new AbortController();
    const latencies = predictUntil(server.url, stop.signal);
    await vi.waitUntil(async () => (await completedJobs(server.url)) === waiting, {
      timeout: 1_500_000,
      interval: 500,
    });
    const seconds = (performance.now() - started) / 1_000;
    stop.abort();
    const [during, before] = [p99(await latencies), p99(await idle)];
    return `${waiting} jobs of one row ended after ${seconds.toFixed(0)} s; p99 of single rows ${during.toFixed(1)} ms meanwhile, ${before.toFixed(1)} ms without jobs${sizeNote}`;
  },
  2_400_000,
);

async function completedJobs(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^batch_jobs_total\{state="completed"\} (\d+)/m.exec(text)?.[1]);
}

faultWithoutServer('J05', 'a job that runs is cancelled between two runs', async () => {
  await using server = await startServerProcess(settings('cancelled'));
  const { job_id: id } = await submitJob(server.url, numberedRows(500_000));
  await untilJob(server.url, id, { is: (it) => it.completed_instances > 10_000 });
  const started = performance.now();
  const answer = await fetch(`${server.url}/predict/batch/${id}`, { method: 'DELETE' });
  const ms = performance.now() - started;
  expect(answer.status).toBe(200);
  const { completed_instances: completed } = await readJob(server.url, id);
  await pause(1_000);
  expect(await readJob(server.url, id)).toMatchObject({
    status: 'cancelled',
    completed_instances: completed,
  });
  const text = await (await fetch(`${server.url}/metrics`)).text();
  // A chunk that was running when the job was cancelled may have been counted.
  expect(Number(/^batch_rows_total\{.*result="completed".*\} (\d+)/m.exec(text)?.[1])).toBeLessThan(
    completed + 3 * 8_192,
  );
  return `cancelled in ${ms.toFixed(0)} ms, with ${completed} of 500000 rows answered`;
});

const canMount = process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'true']).status === 0;
const fullDisk = 'a full disk refuses jobs at once, and a job that runs goes on when there is space';
if (canMount) {
  faultWithoutServer(
    'J06',
    fullDisk,
    async () => {
      const disk = join(root, 'disk');
      mkdirSync(disk);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', disk]);
      try {
        execFileSync('dd', ['if=/dev/zero', `of=${disk}/ballast`, 'bs=1k', 'count=12000', 'status=none']);
        const environment = {
          MODELS_DIR: registry.path,
          STATE_DIR: join(disk, 'state'),
          JOBS_MIN_FREE_MB: '0',
        };
        await using server = await startServerProcess(environment);
        const rows = 60_000;
        const { job_id: id } = await submitJob(server.url, numberedRows(rows));
        await vi.waitUntil(
          () => server.stdout.some((line) => line.includes('the store of batch jobs failed')),
          { timeout: 20_000 },
        );
        const job = await readJob(server.url, id);
        expect(job.status).toBe('running');
        const started = performance.now();
        const refused = await fetch(`${server.url}/predict/batch`, {
          method: 'POST',
          body: numberedRows(200_000),
          headers: { 'content-type': 'application/x-ndjson' },
        });
        const ms = performance.now() - started;
        expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
        expect(((await refused.json()) as { code: string }).code).toBe('jobs_unavailable');
        expect(ms).toBeLessThan(1_000);
        rmSync(join(disk, 'ballast'));
        await untilJob(server.url, id, { timeoutMs: 60_000 });
        const counts = await countWrong(server.url, id, rows, (row) => 2 * row);
        expect(counts).toEqual({ lost: 0, doubled: 0, wrong: 0 });
        const lines = server.stdout.filter((line) => line.includes('the store of batch jobs failed')).length;
        return `refused in ${ms.toFixed(0)} ms; the job went on from ${job.completed_instances} rows, lost 0, doubled 0 of ${rows}; log lines ${lines}`;
      } finally {
        execFileSync('umount', ['-l', disk]);
      }
    },
    120_000,
  );
} else test.skip(`J06 ${fullDisk}: needs root and unshare`, () => undefined);

faultWithoutServer(
  'S01',
  'a server that is stopped gives back the rows of its jobs, and they run after the next start',
  async () => {
    const rows = 200_000;
    const stops = isFullSize ? 20 : 4;
    let server = await startServerProcess(settings('stopped'));
    const { job_id: id } = await submitJob(server.url, numberedRows(rows * (stops / 4)));
    let longest = 0;
    for (let k = 0; k < stops; k += 1) {
      await untilJob(server.url, id, { is: (it) => it.completed_instances > (k * rows) / 5 / (stops / 4) });
      const started = performance.now();
      server.child.kill('SIGTERM');
      expect(await server.ended).toEqual({ code: 0, signal: null });
      longest = Math.max(longest, performance.now() - started);
      server = await startServerProcess(settings('stopped'));
    }
    await untilJob(server.url, id, { timeoutMs: 120_000 });
    const counts = await countWrong(server.url, id, rows * (stops / 4), (row) => 2 * row);
    await server[Symbol.asyncDispose]();
    expect(counts).toEqual({ lost: 0, doubled: 0, wrong: 0 });
    expect(longest).toBeLessThan(3_000);
    return `lost 0, doubled 0 of ${rows * (stops / 4)} rows after ${stops} stops, exit 0, longest ${(longest / 1_000).toFixed(2)} s${sizeNote}`;
  },
  600_000,
);
