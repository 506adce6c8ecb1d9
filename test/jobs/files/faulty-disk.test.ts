import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { writeDraft } from '../../../src/jobs/files/chunk-files.js';
import { FileJobStore } from '../../../src/jobs/files/file-job-store.js';
import { nameOfJob } from '../../../src/jobs/files/job-folders.js';
import type { ChunkWork, JobEvents } from '../../../src/jobs/queue/job-store.js';
import { takeResults } from '../../../src/jobs/queue/result-reader.js';
import { echo, readAll, silentEvents, submit, until, waitForEnd } from '../../contracts/job-store.js';

type Faults = {
  /** Called after a file has been replaced. */
  onReplaced?: ((path: string) => Promise<void>) | undefined;
  /** The bytes that a call may read at a position: fewer come, or an error if there are none. */
  readable?: ((path: string, position: number) => number) | undefined;
};
const faults = vi.hoisted((): Faults => ({}));
vi.mock('../../../src/files/replace-file.js', async (load) => {
  const real = await load<typeof import('../../../src/files/replace-file.js')>();
  const replaceFile: typeof real.replaceFile = async (path, ...more) => {
    await real.replaceFile(path, ...more);
    await faults.onReplaced?.(path);
  };
  return { ...real, replaceFile };
});
vi.mock('node:fs/promises', async (load) => {
  const real = await load<typeof import('node:fs/promises')>();
  const open: typeof real.open = async (path, ...more) => {
    const file = await real.open(path, ...more);
    const read = file.read.bind(file) as (...args: unknown[]) => Promise<unknown>;
    const limited = async (buffer: Buffer, offset: number, length: number, position: number) => {
      const most = faults.readable?.(String(path), position) ?? length;
      if (most <= 0) throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO', syscall: 'read' });
      return await read(buffer, offset, Math.min(length, most), position);
    };
    return Object.assign(file, { read: limited });
  };
  return { ...real, open };
});

let root: string;
let store: FileJobStore;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sardonyx-disk-'));
  store = open();
});
afterEach(async () => {
  faults.onReplaced = undefined;
  faults.readable = undefined;
  await store.close();
  await store.disconnect();
  await rm(root, { recursive: true, force: true });
});
const open = (events: Partial<JobEvents> = {}) =>
  new FileJobStore({
    stateDir: root,
    maxOpenJobs: 100,
    keepMs: 60_000,
    minFreeBytes: 0,
    events: { ...silentEvents, ...events },
  });
const endedFolder = (id: string) => join(root, 'jobs', 'ended', nameOfJob(id, 'alice'));

test('a call that reads fewer bytes than there are is repeated', async () => {
  const job = await submit(store, { rows: 100, chunkRows: 50 });
  faults.readable = () => 100;
  store.work(echo);
  const last = await waitForEnd(store, job);
  expect(last.completedRows).toBe(100);
  expect(await readAll(store, last)).toHaveLength(100);
});

test('results that a bad sector cuts are refused, and not answered without their end', async () => {
  const job = await submit(store, { rows: 100, chunkRows: 100 });
  store.work(echo);
  const last = await waitForEnd(store, job);
  faults.readable = (path, position) => (path.includes('/results/') ? 300 - position : 1_000_000);
  await expect(takeResults(store, last, 0, 100)).rejects.toMatchObject({ code: 'jobs_unavailable' });
  await expect(readAll(store, last)).rejects.toMatchObject({ code: 'jobs_unavailable' });
});

test('rows that cannot be read for a while fail no job', async () => {
  const job = await submit(store, { rows: 100, chunkRows: 100 });
  let refused = 0;
  faults.readable = (path, position) => {
    if (!path.endsWith('rows.ndjson')) return 1_000_000;
    if (position > 0) refused += 1;
    return refused > 1 ? 1_000_000 : 100 - position;
  };
  store.work(echo);
  expect(await waitForEnd(store, job)).toMatchObject({ state: 'completed', completedRows: 100 });
  expect(refused).toBeGreaterThan(1);
});

test('another end that was written late does not change the end of a job', async () => {
  const job = await submit(store, { rows: 10, chunkRows: 5 });
  let isLate = false;
  faults.onReplaced = async (path) => {
    if (isLate || !path.endsWith('end.json')) return;
    isLate = true;
    await writeFile(path, `${JSON.stringify({ state: 'cancelled', endedAt: Date.now() })}\n`);
  };
  store.work(echo);
  await until(async () => (await store.find('alice', job.id))?.state === 'completed');
  await until(async () => (await readdir(endedFolder(job.id))).every((name) => name !== 'claims'));
  expect(isLate).toBe(true);
  const stored = JSON.parse(await readFile(join(endedFolder(job.id), 'end.json'), 'utf8'));
  expect(stored).toMatchObject({ state: 'completed', counts: { completedRows: 10, failedRows: 0 } });
});

test('what runs have written when their job ends elsewhere is removed with it', async () => {
  const job = await submit(store, { rows: 10, chunkRows: 5 });
  let written = 0;
  store.work(async (work: ChunkWork) => {
    const { lines, ...counts } = await echo(work);
    await writeDraft(work.draft as string, lines, counts);
    written += 1;
    await until(async () => written === 2);
    await store.cancel(job);
    return { lines: undefined, ...counts };
  });
  expect((await waitForEnd(store, job)).state).toBe('cancelled');
  await until(async () => (await readdir(join(endedFolder(job.id), 'results'))).length === 0);
});
