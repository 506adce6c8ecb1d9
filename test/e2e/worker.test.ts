import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readMetric } from '../helpers/ask.js';
import {
  countRowFaults,
  findJob,
  loanLines,
  startWorkerProcess,
  submitLines,
  waitForJobEnd,
} from '../helpers/job-servers.js';
import { startRedis } from '../helpers/redis.js';
import { runServerToItsEnd, startServerProcess } from '../helpers/server-process.js';

const redis = await startRedis();
afterAll(() => redis.stop());
const environment = { REDIS_URL: redis.url, JOBS_WORK: 'off', LOG_LEVEL: 'info' };
const rows = 40_000;

test('sardonyx worker without REDIS_URL ends with one line and exit code 1', async () => {
  const { code, stdout, stderr } = await runServerToItsEnd({ STATE_DIR: '' }, ['dist/cli.js', 'worker']);
  expect(code).toBe(1);
  expect(stdout).toEqual([]);
  expect(stderr).toEqual([
    'sardonyx: REDIS_URL: is missing: a worker takes its jobs from the Redis of the servers, or from their STATE_DIR',
  ]);
});

test('JOBS_WORK=off without REDIS_URL ends the start with one line', async () => {
  const { code, stderr } = await runServerToItsEnd({ STATE_DIR: '', JOBS_WORK: 'off' });
  expect(code).toBe(1);
  expect(stderr).toEqual([
    'sardonyx: JOBS_WORK: "off" needs REDIS_URL, or a STATE_DIR that the server shares with workers',
  ]);
});

test('without Redis a worker runs the jobs of a server from the folder that they share', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sardonyx-worker-'));
  const shared = { STATE_DIR: folder, JOBS_WORK: 'off', JOBS_MAX_OPEN: '2' };
  {
    await using server = await startServerProcess(shared);
    await using _worker = await startWorkerProcess(shared);
    // The server does not count the jobs that the worker has ended.
    for (let k = 0; k < 5; k += 1) {
      const { status, body } = await submitLines(server, loanLines(3_000));
      expect(status).toBe(202);
      expect(await waitForJobEnd(server, body.job_id)).toMatchObject({ completed_instances: 3_000 });
      await new Promise((resolve) => setTimeout(resolve, 1_100));
    }
  }
  rmSync(folder, { recursive: true });
});

test('a worker yields the processor to a server, with all its threads', async () => {
  await using worker = await startWorkerProcess(environment);
  const threads = readdirSync(`/proc/${worker.child.pid}/task`);
  const nice = threads.map((it) => getPriority(Number(it)));
  expect(nice).toEqual(threads.map(() => Math.max(10, getPriority())));
});

test('a worker runs the jobs of a server, and answers only health and metrics', async () => {
  await using server = await startServerProcess(environment);
  const { status, headers, body } = await submitLines(server, loanLines(5_000));
  expect(status).toBe(202);
  expect(headers.get('location')).toBe(`/predict/batch/${body.job_id}`);
  // Nobody runs it.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(await findJob(server, body.job_id)).toMatchObject({ status: 'queued', completed_instances: 0 });
  await using worker = await startWorkerProcess(environment);
  expect(await waitForJobEnd(server, body.job_id)).toMatchObject({
    status: 'completed',
    completed_instances: 5_000,
  });
  expect(await countRowFaults(server, body.job_id, 5_000)).toEqual({ lost: 0, doubled: 0 });
  for (const path of ['/health', '/health/live', '/health/ready', '/metrics'])
    expect((await fetch(worker.url + path)).status, path).toBe(200);
  for (const path of ['/', '/models', '/predict', '/predict/batch', '/docs', '/openapi.json'])
    expect((await fetch(worker.url + path)).status, path).toBe(404);
  expect(await readMetric(worker.url, 'batch_jobs_total{state="completed"}')).toBe(1);
  expect(await readMetric(worker.url, 'jobs_store_lossy{reason="no_persistence"}')).toBe(1);
  // The server has no keys either, but a worker answers no predictions.
  const isOpen = (line: string) => line.includes('may send requests');
  expect([server.stdout.filter(isOpen).length, worker.stdout.filter(isOpen)]).toEqual([1, []]);
  const warnings = server.stdout.filter((line) => line.includes('Redis may lose batch jobs'));
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain('set \\"appendonly yes\\"');
});

test('a worker that gets SIGTERM gives its rows back and ends with 0, and another one goes on', async () => {
  await using server = await startServerProcess(environment);
  await using first = await startWorkerProcess(environment);
  const { body } = await submitLines(server, loanLines(rows));
  for (;;) {
    const job = await findJob(server, body.job_id);
    if ((job?.completed_instances ?? 0) > 0) break;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  first.child.kill('SIGTERM');
  expect(await first.ended).toEqual({ code: 0, signal: null });
  const left = await findJob(server, body.job_id);
  expect(left?.status).toBe('running');
  await using second = await startWorkerProcess(environment);
  const startedAt = performance.now();
  expect(await waitForJobEnd(server, body.job_id)).toMatchObject({ status: 'completed' });
  // Locks of a killed process would hold for 5 s at least.
  expect(performance.now() - startedAt).toBeLessThan(4_500);
  expect(second.child.exitCode).toBe(null);
  expect(await countRowFaults(server, body.job_id, rows)).toEqual({ lost: 0, doubled: 0 });
});

test('a worker whose Redis is away starts, is ready, and ends at SIGTERM', async () => {
  await using own = await startRedis();
  await own.stop();
  await using worker = await startWorkerProcess({ ...environment, REDIS_URL: own.url });
  expect((await fetch(`${worker.url}/health/ready`)).status).toBe(200);
  const at = performance.now();
  worker.child.kill('SIGTERM');
  expect(await worker.ended).toEqual({ code: 0, signal: null });
  expect(performance.now() - at).toBeLessThan(3_000);
});
