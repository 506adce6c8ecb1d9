import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { limitsOf, readConfig } from '../../../src/config/read-config.js';
import { draftOf, locateRows, partOf } from '../../../src/jobs/files/chunk-files.js';
import { createProcessChunkRunner } from '../../../src/jobs/process/process-chunk-runner.js';
import type { ChunkRows } from '../../../src/jobs/queue/job-store.js';
import { holdPacked, pack, unpack } from '../../../src/jobs/queue/packed.js';
import { DamagedJobError, GoneJobError } from '../../../src/jobs/queue/refusals.js';
import { holdRows } from '../../../src/jobs/queue/spool.js';
import { buildTestApp, type TestApp } from '../../helpers/app.js';
import { linearRegression } from '../../helpers/onnx-models.js';
import { childrenOf, isAlive } from '../../helpers/processes.js';
import { startRedis } from '../../helpers/redis.js';
import { createRegistryFolder } from '../../helpers/registry-folder.js';

const many = 100_000;
const bodyOf = (count: number) =>
  Array.from({ length: count }, (_unused, k) => `{"x":${k % 10 === 9 ? '"no"' : k}}\n`).join('');

function createFolder() {
  const folder = createRegistryFolder();
  const features = [{ name: 'x', type: 'number' as const }];
  folder.addVersion('double', '1', {
    manifest: { task: 'regression', features },
    model: linearRegression([2]),
  });
  return folder;
}

const submit = async ({ post }: TestApp, count: number) => {
  const answer = await post('/predict/batch', bodyOf(count), { 'content-type': 'application/x-ndjson' });
  expect(answer.status, answer.text).toBe(202);
  return String(answer.body.job_id);
};
const ended = ({ get }: TestApp, id: string) =>
  vi.waitUntil(
    async () => {
      const { body } = await get(`/predict/batch/${id}?limit=0`);
      return ['queued', 'running'].includes(body.status) ? undefined : body;
    },
    { timeout: 30_000 },
  );
/** While requests of single rows come, the rows of a job wait for their process. */
const keepBusy = async ({ post }: TestApp) => {
  expect((await post('/predict', { x: 1 })).status).toBe(200);
};
const jobProcesses = () => childrenOf(process.pid, 'sardonyx jobs').filter(isAlive);
const processOf = () => vi.waitUntil(() => jobProcesses()[0], { timeout: 10_000, interval: 5 });
const metric = async ({ get }: TestApp, name: string) =>
  (await get('/metrics')).text
    .split('\n')
    .filter((line) => line.startsWith(name))
    .map((line) => Number(line.split(' ').at(-1)))
    .reduce((sum, it) => sum + it, 0);

async function expectEachRow({ get }: TestApp, id: string, count: number) {
  const { text } = await get(`/predict/batch/${id}/results`);
  const rows = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(rows.length).toBe(count);
  for (const [k, row] of rows.entries()) {
    expect(row.index).toBe(k);
    if (k % 10 === 9) expect(row.error.code).toBe('invalid_input');
    else expect(row.prediction).toBe(2 * k);
  }
}

test('the process has the locale of the server, and none of its secrets', async () => {
  vi.stubEnv('LC_ALL', 'C.UTF-8');
  vi.stubEnv('API_KEYS', 'a secret');
  try {
    using folder = createFolder();
    await using server = await buildTestApp({ MODELS_DIR: folder.path });
    await keepBusy(server);
    const id = await submit(server, many / 5);
    const variables = readFileSync(`/proc/${await processOf()}/environ`, 'utf8');
    expect(variables).toContain('LC_ALL=C.UTF-8');
    expect(variables).not.toContain('secret');
    await ended(server, id);
  } finally {
    vi.unstubAllEnvs();
  }
});

test('a large job runs in a process of its own, its rows count as those of the server, and the process ends with it', async () => {
  using folder = createFolder();
  const server = await buildTestApp({ MODELS_DIR: folder.path });
  let pid: number;
  try {
    await keepBusy(server);
    const id = await submit(server, many);
    pid = await processOf();
    expect(await ended(server, id)).toMatchObject({
      status: 'completed',
      completed_instances: many * 0.9,
      failed_instances: many * 0.1,
    });
    await expectEachRow(server, id, many);
    expect(await metric(server, 'predictions_total{model="double",model_version="1",status="ok"}')).toBe(
      many * 0.9 + 1,
    );
    expect(
      await metric(server, 'predictions_total{model="double",model_version="1",status="invalid_input"}'),
    ).toBe(many * 0.1);
    expect(await metric(server, 'prediction_latency_seconds_count{model="double"')).toBe(1);
    expect(await metric(server, 'prediction_queue_seconds_count{model="double"')).toBe(many * 0.9 + 1);
    expect(await metric(server, 'jobs_process_ends_total')).toBe(0);
  } finally {
    await server[Symbol.asyncDispose]();
  }
  await vi.waitUntil(() => !isAlive(pid), { timeout: 5_000 });
});

test.each([
  ['SIGSEGV', 'is replaced'],
  ['SIGKILL', 'which may be for lack of memory, is not replaced at once'],
] as const)('a process that ends by %s %s, and costs no row', async (signal, then) => {
  using folder = createFolder();
  await using server = await buildTestApp({ MODELS_DIR: folder.path });
  await keepBusy(server);
  const id = await submit(server, many);
  const pid = await processOf();
  await vi.waitUntil(async () => (await metric(server, 'batch_rows_total')) > 0, {
    timeout: 10_000,
    interval: 1,
  });
  // Stopped first, so that it has chunks when it ends: it may be idle while results are stored.
  process.kill(pid, 'SIGSTOP');
  await pause(500);
  process.kill(pid, signal);
  if (signal !== 'SIGKILL') process.kill(pid, 'SIGCONT');
  expect(await ended(server, id)).toMatchObject({ status: 'completed', total_instances: many });
  await expectEachRow(server, id, many);
  expect(await metric(server, 'jobs_process_ends_total')).toBe(1);
  expect(server.logs).toContainEqual(
    expect.objectContaining({ msg: 'the process of batch jobs has ended', how: signal }),
  );
  expect(server.logs).toContainEqual(
    expect.objectContaining({ msg: 'a chunk of a batch job failed: it is run again' }),
  );
  expect(jobProcesses().length).toBe(then === 'is replaced' ? 1 : 0);
});

test('a job that is cancelled ends, and its process takes the next one', async () => {
  using folder = createFolder();
  await using server = await buildTestApp({ MODELS_DIR: folder.path });
  await keepBusy(server);
  const first = await submit(server, 10 * many);
  const pid = await processOf();
  const { statusCode } = await server.app.inject({ method: 'DELETE', url: `/predict/batch/${first}` });
  expect(statusCode).toBe(200);
  const second = await submit(server, many);
  expect(await ended(server, second)).toMatchObject({ status: 'completed' });
  expect(jobProcesses()).toEqual([pid]);
});

test('a version whose files are gone since it was loaded runs on the server, with a warning', async () => {
  using folder = createFolder();
  await using server = await buildTestApp({ MODELS_DIR: folder.path });
  rmSync(join(folder.path, 'double', '1'), { recursive: true });
  await keepBusy(server);
  const id = await submit(server, many / 5);
  expect(await ended(server, id)).toMatchObject({ status: 'completed' });
  await expectEachRow(server, id, many / 5);
  expect(server.logs).toContainEqual(
    expect.objectContaining({
      msg: 'the process of batch jobs cannot load a version: its rows run on the server',
    }),
  );
});

test.each([
  ['few rows', {}, 1_000],
  ['JOBS_PROCESS=off', { JOBS_PROCESS: 'off' }, 20_000],
  [
    'a prediction log of batches',
    { PREDICTION_LOG: join(tmpdir(), `sardonyx-log-${process.pid}.ndjson`), PREDICTION_LOG_BATCHES: 'on' },
    20_000,
  ],
])('%s start no process', async (_name, settings, count) => {
  using folder = createFolder();
  await using server = await buildTestApp({ MODELS_DIR: folder.path, ...settings });
  await keepBusy(server);
  expect(await ended(server, await submit(server, count))).toMatchObject({ status: 'completed' });
  expect(jobProcesses()).toEqual([]);
});

/** Chunks that run in the process of a server, without a store. */
function createRunner({ app }: TestApp, modelsDir: string) {
  const { registry, predictions } = app;
  const loaded = registry.lease('double');
  loaded.release();
  const ends: string[] = [];
  const runner = createProcessChunkRunner(registry, predictions, {
    modelsDir,
    limits: limitsOf(readConfig({})),
    showsProblems: true,
    runHere: () => Promise.reject(new Error('a chunk runs in the process only')),
    isBusy: () => true,
    onEnd: (how) => ends.push(how),
    onUnloadable: () => undefined,
    idleMs: 100,
  });
  const run = (rows: ChunkRows, draft?: string, isPacked = false) =>
    runner.run({
      job: {
        id: '01a22388-7e42-7c39-8f0a-4d0d6f1e2b11',
        owner: '',
        model: 'double',
        version: '1',
        identity: loaded.identity,
        requestId: 'request',
      },
      firstRow: 0,
      rows,
      draft,
      isPacked,
      claim: { destroyed: false },
    });
  return { run, ends, close: () => runner.close() };
}
const linesOf = (count: number) => Buffer.from(bodyOf(count).replaceAll('{', ' {'));

test('the process does not end for lack of work while a chunk runs', async () => {
  using folder = createFolder();
  await using server = await buildTestApp({ MODELS_DIR: folder.path });
  const { run, ends, close } = createRunner(server, folder.path);
  try {
    await run(holdRows(linesOf(8_192)));
    const started = performance.now();
    expect((await run(holdRows(linesOf(200_000)))).completed).toBe(180_000);
    expect(performance.now() - started).toBeGreaterThan(200);
    expect(ends).toEqual([]);
    // Now it does.
    await vi.waitUntil(() => jobProcesses().length === 0, { timeout: 10_000 });
  } finally {
    close();
  }
});

test('the process unpacks the rows and packs the results of a store that keeps them so', async () => {
  using folder = createFolder();
  await using server = await buildTestApp({ MODELS_DIR: folder.path });
  const { run, ends, close } = createRunner(server, folder.path);
  try {
    const packed = await pack(linesOf(20_000));
    const { packed: results, ...counts } = await run(await holdPacked(packed), undefined, true);
    expect(counts).toEqual({ completed: 18_000, failed: 2_000, lines: undefined });
    const lines = (await unpack(results as Buffer)).toString().trimEnd().split('\n');
    expect(lines.length).toBe(20_000);
    expect(JSON.parse(String(lines[12_345]))).toMatchObject({ index: 12_345 });
    packed.fill(7, 20, 60);
    await expect(run(await holdPacked(packed), undefined, true)).rejects.toThrow(DamagedJobError);
    expect(ends).toEqual([]);
  } finally {
    close();
  }
});

test('a large job in Redis runs in the process, too', async () => {
  await using redis = await startRedis();
  using folder = createFolder();
  await using server = await buildTestApp({ MODELS_DIR: folder.path, REDIS_URL: redis.url });
  await vi.waitUntil(async () => (await server.get('/health')).body.redis?.state === 'up', {
    timeout: 5_000,
  });
  await keepBusy(server);
  const id = await submit(server, many);
  await processOf();
  expect(await ended(server, id)).toMatchObject({ status: 'completed', total_instances: many });
  await expectEachRow(server, id, many);
});

test('the process reads the rows and writes the results itself, and says what is wrong with the files', async () => {
  using folder = createFolder();
  await using server = await buildTestApp({ MODELS_DIR: folder.path });
  const { run, ends, close } = createRunner(server, folder.path);
  const job = mkdtempSync(join(tmpdir(), 'sardonyx-job-'));
  const rows = linesOf(20_000);
  writeFileSync(join(job, 'rows.ndjson'), rows);
  const place = { rows: 20_000, bytes: rows.length, firstRow: 0, firstByte: 0 };
  const stored = (more: Partial<typeof place> = {}, of = job) =>
    locateRows(partOf(of, { ...place, ...more }));
  try {
    expect(await run(stored(), draftOf(job))).toEqual({
      completed: 18_000,
      failed: 2_000,
      lines: undefined,
    });
    const [draft] = readdirSync(join(job, 'results'));
    const written = readFileSync(join(job, 'results', String(draft)), 'utf8').split('\n');
    expect(written[0]).toMatch(/^18000 2000 \d+ +$/);
    expect(written.length).toBe(20_002);
    expect(JSON.parse(String(written[20_000]))).toMatchObject({ index: 19_999 });

    await expect(run(stored({ firstByte: 10 }), draftOf(job))).rejects.toThrow(DamagedJobError);
    const gone = join(job, 'gone');
    await expect(run(stored({}, gone), draftOf(gone))).rejects.toThrow(GoneJobError);
    await expect(run(stored(), draftOf(gone))).rejects.toThrow(GoneJobError);
    await expect(run(stored(), join(job, 'rows.ndjson', 'draft'))).rejects.toMatchObject({
      code: 'ENOTDIR',
      syscall: 'open',
    });
    expect(readdirSync(join(job, 'results'))).toEqual([draft]);
    expect(ends).toEqual([]);
  } finally {
    close();
    rmSync(job, { recursive: true });
  }
});
