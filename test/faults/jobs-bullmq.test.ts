import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { expect } from 'vitest';
import {
  countRowFaults,
  findJob,
  loanLines,
  startWorkerProcess,
  submitLines,
  waitForJobEnd,
} from '../helpers/job-servers.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { type ServerProcess, startServerProcess } from '../helpers/server-process.js';
import { faultWithoutServer } from './instruments/fault.js';
import { isFullSize, sizeNote } from './instruments/full-size.js';

const durable = ['--appendonly', 'yes', '--appendfsync', 'always'];

/** The port of a killed Redis is free only once the process has ended. */
async function restartRedis(port: number, settings: readonly string[]): Promise<TestRedis> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await startRedis({ port, settings });
    } catch (error) {
      if (tries === 20) throw error;
      await pause(200);
    }
  }
}

/** Waits until a job has so many answers. */
async function waitForRows(server: ServerProcess, id: string, rows: number): Promise<void> {
  for (;;) {
    const job = await findJob(server, id);
    if (job !== undefined && job.completed_instances >= rows) return;
    await pause(2);
  }
}

faultWithoutServer(
  'J01',
  'BullMQ: a job whose worker is killed at any point goes on, and each row has one result',
  async () => {
    const points = isFullSize ? 20 : 5;
    const rows = 40_000;
    await using redis = await startRedis();
    const environment = { REDIS_URL: redis.url, JOBS_WORK: 'off' };
    await using server = await startServerProcess(environment);
    let worker = await startWorkerProcess(environment);
    const killed: { id: string; at: number }[] = [];
    try {
      for (let point = 1; point <= points; point += 1) {
        const { status, body } = await submitLines(server, loanLines(rows));
        expect(status).toBe(202);
        await waitForRows(server, body.job_id, Math.floor((rows * (point - 1)) / points));
        worker.child.kill('SIGKILL');
        killed.push({ id: body.job_id, at: Date.now() });
        await worker.ended;
        worker = await startWorkerProcess(environment);
      }
      const seconds: number[] = [];
      let [lost, doubled] = [0, 0];
      for (const { id, at } of killed) {
        const job = await waitForJobEnd(server, id);
        expect(job.status).toBe('completed');
        seconds.push((Date.parse(job.ended_at as string) - at) / 1_000);
        const faults = await countRowFaults(server, id, rows);
        lost += faults.lost;
        doubled += faults.doubled;
      }
      expect([lost, doubled]).toEqual([0, 0]);
      seconds.sort((a, b) => a - b);
      const median = seconds[Math.floor(seconds.length / 2)] as number;
      const longest = seconds.at(-1) as number;
      // A lock of 10 s, a check each 5 s, and the rest of the job; a later kill may hit the same chunk again.
      expect(longest).toBeLessThan(45);
      return `${points} kills: lost ${lost}, doubled ${doubled} of ${points * rows} rows; from the kill to the end of the job ${median.toFixed(1)} s, at most ${longest.toFixed(1)} s${sizeNote}`;
    } finally {
      await worker[Symbol.asyncDispose]();
    }
  },
  600_000,
);

const modes = [
  { name: 'without persistence', settings: [], losses: 'no_persistence' },
  { name: 'appendfsync everysec', settings: ['--appendonly', 'yes', '--appendfsync', 'everysec'] },
  { name: 'appendfsync always', settings: durable },
] as const;

faultWithoutServer(
  'J04',
  'BullMQ: a Redis that is killed just after 202 loses what its persistence allows, and is named if it is lossy',
  async () => {
    const figures: string[] = [];
    for (const mode of modes) {
      const dir = await mkdtemp(join(tmpdir(), 'sardonyx-redis-dir-'));
      const settings = [...mode.settings, '--dir', dir];
      let redis = await startRedis({ settings });
      const { port } = redis;
      try {
        await using server = await startServerProcess({ REDIS_URL: redis.url, JOBS_WORK: 'off' });
        const ids: string[] = [];
        for (let k = 0; k < 100; k += 1) {
          const { status, body } = await submitLines(server, loanLines(1));
          expect(status).toBe(202);
          ids.push(body.job_id);
        }
        await redis.stop();
        redis = await restartRedis(port, settings);
        while ((await fetch(`${server.url}/predict/batch/${ids[0]}`)).status === 503) await pause(50);
        let lost = 0;
        for (const id of ids) if ((await findJob(server, id)) === undefined) lost += 1;
        const warnings = server.stdout.filter((line) => line.includes('Redis may lose batch jobs'));
        expect(warnings).toHaveLength('losses' in mode ? 1 : 0);
        expect(lost).toBe('losses' in mode ? 100 : 0);
        // The jobs that are left run.
        await using worker = await startWorkerProcess({ REDIS_URL: redis.url });
        for (const id of ids.slice(0, lost === 0 ? 100 : 0))
          expect((await waitForJobEnd(server, id)).status).toBe('completed');
        expect(worker.child.exitCode).toBe(null);
        figures.push(`${mode.name}: lost ${lost} of 100`);
      } finally {
        await redis.stop();
        await rm(dir, { recursive: true, force: true });
      }
    }
    return figures.join('; ');
  },
  180_000,
);

faultWithoutServer(
  'J04',
  'BullMQ: a job whose Redis is emptied, evicts or is full ends clearly, and later jobs run',
  async () => {
    const figures: string[] = [];
    const rows = 200_000;
    for (const fault of ['emptied', 'evicts', 'full'] as const) {
      const policy = fault === 'evicts' ? 'allkeys-random' : 'noeviction';
      await using redis = await startRedis({ settings: ['--maxmemory-policy', policy] });
      const client = new Redis(redis.url);
      try {
        await using server = await startServerProcess({ REDIS_URL: redis.url, CACHE: 'off' });
        const { body } = await submitLines(server, loanLines(rows));
        await waitForRows(server, body.job_id, 1);
        if (fault === 'emptied') await client.flushall();
        else await client.config('SET', 'maxmemory', fault === 'full' ? '1mb' : '3mb');
        if (fault === 'full') {
          const { status } = await submitLines(server, loanLines(10));
          expect(status).toBe(503);
          await pause(3_000);
          await client.config('SET', 'maxmemory', '0');
        }
        const at = performance.now();
        let end = 'not found';
        for (;;) {
          const response = await fetch(`${server.url}/predict/batch/${body.job_id}?limit=1`);
          if (response.status === 404) break;
          const job = (await response.json()) as { status: string };
          if (!['queued', 'running'].includes(job.status)) {
            end = job.status;
            break;
          }
          expect(performance.now() - at, 'ms until the job has ended').toBeLessThan(100_000);
          await pause(50);
        }
        if (end === 'completed')
          expect(await countRowFaults(server, body.job_id, rows)).toEqual({ lost: 0, doubled: 0 });
        if (fault === 'full') expect(end).toBe('completed');
        const seconds = (performance.now() - at) / 1_000;
        await client.config('SET', 'maxmemory', '0');
        const next = await submitLines(server, loanLines(5_000));
        expect((await waitForJobEnd(server, next.body.job_id)).status).toBe('completed');
        figures.push(`${fault}: ${end} after ${seconds.toFixed(1)} s`);
      } finally {
        client.disconnect();
      }
    }
    return figures.join('; ');
  },
  400_000,
);

faultWithoutServer(
  'J06',
  'BullMQ: a submission while Redis is down or frozen is refused within a second, and accepted by nobody',
  async () => {
    const figures: string[] = [];
    for (const fault of ['down', 'frozen'] as const) {
      await using redis = await startRedis({ settings: durable });
      await using server = await startServerProcess({ REDIS_URL: redis.url, JOBS_WORK: 'off' });
      const first = await submitLines(server, loanLines(10));
      expect(first.status).toBe(202);
      if (fault === 'down') await redis.stop();
      else redis.freeze();
      let longest = 0;
      for (let k = 0; k < 10; k += 1) {
        const at = performance.now();
        const { status, headers, body } = await submitLines(server, loanLines(10), {
          'idempotency-key': `key ${k}`,
        });
        longest = Math.max(longest, performance.now() - at);
        expect([status, headers.get('retry-after')]).toEqual([503, '5']);
        expect(body).toMatchObject({ code: 'jobs_unavailable' });
      }
      expect(longest).toBeLessThan(1_000);
      expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
      if (fault === 'frozen') {
        redis.thaw();
        await pause(2_000);
        const { jobs } = (await (await fetch(`${server.url}/predict/batch`)).json()) as { jobs: unknown[] };
        expect(jobs).toHaveLength(1);
      }
      const lines = server.stdout.filter((line) => line.includes('the store of batch jobs failed'));
      expect(lines.length).toBeLessThanOrEqual(3);
      figures.push(`${fault}: 503 after at most ${Math.round(longest)} ms`);
    }
    return figures.join('; ');
  },
  120_000,
);
