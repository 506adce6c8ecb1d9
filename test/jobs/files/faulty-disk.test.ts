import { existsSync, readlinkSync } from 'node:fs';
import { type FileHandle, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { writeDraft } from '../../../src/jobs/files/chunk-files.js';
import { FileJobStore } from '../../../src/jobs/files/file-job-store.js';
import type { ChunkWork } from '../../../src/jobs/queue/job-store.js';
import { takeResults } from '../../../src/jobs/queue/result-reader.js';
import { echo, readAll, silentEvents, submit, until, waitForEnd } from '../../contracts/job-store.js';
import { endedJobFolder } from '../../helpers/ended-job-folder.js';

/** The methods of all files that are open in this process. */
const methods = await (async () => {
  const file = await open('/dev/null');
  await file.close();
  return Object.getPrototypeOf(file) as FileHandle;
})();
const pathOf = ({ fd }: FileHandle) => readlinkSync(`/proc/self/fd/${fd}`);

/** `readable`: the bytes that a call may read at a position of a file; fewer come, or an error if there are none. */
function limitReads(readable: (path: string, position: number) => number): void {
  const read = methods.read as unknown as (
    ...args: unknown[]
  ) => Promise<{ bytesRead: number; buffer: Buffer }>;
  const limited = async function (
    this: FileHandle,
    buffer: Buffer,
    offset: number,
    length: number,
    at: number,
  ) {
    const most = Math.min(length, readable(pathOf(this), at));
    if (most > 0) return await read.call(this, buffer, offset, most, at);
    throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO', syscall: 'read' });
  };
  vi.spyOn(methods, 'read').mockImplementation(limited as unknown as typeof methods.read);
}

let root: string;
let store: FileJobStore;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sardonyx-disk-'));
  store = new FileJobStore({
    stateDir: root,
    maxOpenJobs: 100,
    keepMs: 60_000,
    minFreeBytes: 0,
    events: silentEvents,
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await store.close();
  await store.disconnect();
  await rm(root, { recursive: true, force: true });
});

test('a call that reads fewer bytes than there are is repeated', async () => {
  const job = await submit(store, { rows: 100, chunkRows: 50 });
  limitReads(() => 100);
  store.work(echo);
  const last = await waitForEnd(store, job);
  expect(last.completedRows).toBe(100);
  expect(await readAll(store, last)).toHaveLength(100);
});

test('results that a bad sector cuts are refused, and not answered without their end', async () => {
  const job = await submit(store, { rows: 100, chunkRows: 100 });
  store.work(echo);
  const last = await waitForEnd(store, job);
  limitReads((path, position) => (path.includes('/results/') ? 300 - position : 1_000_000));
  await expect(takeResults(store, last, 0, 100)).rejects.toMatchObject({ code: 'jobs_unavailable' });
  await expect(readAll(store, last)).rejects.toMatchObject({ code: 'jobs_unavailable' });
});

test('rows that cannot be read for a while fail no job', async () => {
  const job = await submit(store, { rows: 100, chunkRows: 100 });
  let refused = 0;
  limitReads((path, position) => {
    if (!path.endsWith('rows.ndjson')) return 1_000_000;
    if (position > 0) refused += 1;
    return refused > 1 ? 1_000_000 : 100 - position;
  });
  store.work(echo);
  expect(await waitForEnd(store, job)).toMatchObject({ state: 'completed', completedRows: 100 });
  expect(refused).toBeGreaterThan(1);
});

test('another end that was written late does not change the end of a job', async () => {
  const job = await submit(store, { rows: 10, chunkRows: 5 });
  let isLate = false;
  // The folder is synced after the end has been written to it, and before it moves.
  const { sync } = methods;
  vi.spyOn(methods, 'sync').mockImplementation(async function (this: FileHandle) {
    const end = join(pathOf(this), 'end.json');
    if (!isLate && existsSync(end)) {
      isLate = true;
      await writeFile(end, `${JSON.stringify({ state: 'cancelled', endedAt: Date.now() })}\n`);
    }
    await sync.call(this);
  });
  store.work(echo);
  await until(async () => (await store.find('alice', job.id))?.state === 'completed');
  const stored = JSON.parse(await readFile(join(await endedJobFolder(root, job.id), 'end.json'), 'utf8'));
  expect(isLate).toBe(true);
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
  const folder = await endedJobFolder(root, job.id);
  await until(async () => (await readdir(join(folder, 'results'))).length === 0);
});
