import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, rename, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { draftOf, keepDraft, writeDraft } from '../../../src/jobs/files/chunk-files.js';
import { FileJobStore } from '../../../src/jobs/files/file-job-store.js';
import { nameOfJob } from '../../../src/jobs/files/job-folders.js';
import type { JobStore } from '../../../src/jobs/queue/job-store.js';
import { takeResults } from '../../../src/jobs/queue/result-reader.js';
import { echo, readAll, silentEvents, submit, until, waitForEnd } from '../../contracts/job-store.js';
import { endedJobFolder } from '../../helpers/ended-job-folder.js';

let root: string;
const stores: FileJobStore[] = [];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sardonyx-jobs-'));
});
afterEach(async () => {
  for (const store of stores.splice(0)) {
    await store.close();
    await store.disconnect();
  }
  await rm(root, { recursive: true, force: true });
});
function open(more: { maxOpenJobs?: number } = {}): FileJobStore {
  const options = { stateDir: root, maxOpenJobs: 1_000, keepMs: 60_000, minFreeBytes: 0, ...more };
  const store = new FileJobStore({ ...options, events: silentEvents });
  stores.push(store);
  return store;
}
const folderOf = (id: string, place = 'open', owner = 'alice') =>
  join(root, 'jobs', place, nameOfJob(id, owner));

type Harm = (folder: string) => Promise<unknown>;
const harms: readonly [string, Harm][] = [
  [
    'rows that are a folder',
    async (folder) => {
      await rm(join(folder, 'rows.ndjson'));
      await mkdir(join(folder, 'rows.ndjson'));
    },
  ],
  ['rows that are gone', (folder) => rm(join(folder, 'rows.ndjson'))],
  ['rows that are cut', (folder) => truncate(join(folder, 'rows.ndjson'), 3)],
  ['claims that are a file', (folder) => writeFile(join(folder, 'claims'), '')],
  ['results that are a file', (folder) => writeFile(join(folder, 'results'), '')],
];

test.each(harms)('a job with %s fails, is listed, and keeps no other job waiting', async (_what, harm) => {
  const store = open();
  const bad = await submit(store);
  const good = await submit(store);
  await harm(folderOf(bad.id));
  const started = performance.now();
  store.work(echo);
  expect((await waitForEnd(store, good)).state).toBe('completed');
  expect(performance.now() - started).toBeLessThan(3_000);
  expect(await waitForEnd(store, bad)).toMatchObject({ state: 'failed', failure: { code: 'internal' } });
  expect((await store.list('alice', 10)).map(({ id }) => id)).toEqual([good.id, bad.id]);
  expect(await store.cancel(bad)).toBe(false);
});

test('a job whose record is damaged is set aside, and hides no other job', async () => {
  const store = open();
  const bad = await submit(store);
  const good = await submit(store);
  await truncate(join(folderOf(bad.id), 'job.json'), 10);
  expect((await store.list('alice', 10)).map(({ id }) => id)).toEqual([good.id]);
  await expect(store.find('alice', bad.id)).rejects.toMatchObject({ code: 'internal' });
  store.work(echo);
  expect((await waitForEnd(store, good)).state).toBe('completed');
  await until(async () => existsSync(folderOf(bad.id, 'damaged')));
});

test('results that are cut are refused, and not answered as those of other rows', async () => {
  const store = open();
  const job = await submit(store, { rows: 20, chunkRows: 5 });
  store.work(echo);
  const ended = await waitForEnd(store, job);
  await truncate(join(await endedJobFolder(root, job.id), 'results', '000001'), 60);
  await expect(takeResults(store, ended, 0, 20)).rejects.toMatchObject({ code: 'internal' });
  expect((await takeResults(store, ended, 0, 4)).lines).toHaveLength(4);
});

test.each([
  ['completed', 1],
  ['completed', 5],
  ['cancelled', 5],
])('a %s job of %i chunks keeps its counts when its results are lost', async (state, chunks) => {
  const store = open();
  const job = await submit(store, { rows: 5 * chunks, chunkRows: 5 });
  store.work(async (work) => {
    if (state === 'cancelled' && work.firstRow === 5) await store.cancel(job);
    return await echo(work);
  });
  const ended = await waitForEnd(store, job);
  expect(ended.state).toBe(state);
  if (state === 'completed') expect(ended.completedRows).toBe(5 * chunks);
  await rm(join(await endedJobFolder(root, job.id), 'results'), { recursive: true });
  expect(await open().find('alice', job.id)).toEqual(ended);
});

test('the pages of a job without some chunks have each result once', async () => {
  const store = open();
  const job = await submit(store, { rows: 25, chunkRows: 5 });
  store.work(async (work) => {
    if (work.firstRow === 5) await new Promise((resolve) => setTimeout(resolve, 300_000).unref());
    return await echo(work);
  });
  await until(async () => (await store.find('alice', job.id))?.completedRows === 20);
  expect(await store.cancel(job)).toBe(true);
  const last = await waitForEnd(store, job);
  const seen: string[] = [];
  for (let offset: number | undefined = 0; offset !== undefined; ) {
    const page: Awaited<ReturnType<typeof takeResults>> = await takeResults(store, last, offset, 3);
    seen.push(...page.lines);
    offset = page.next;
  }
  expect(seen).toEqual(await readAll(store, last));
  expect(seen).toHaveLength(20);
  stores.splice(stores.indexOf(store), 1);
});

test('a job whose results were removed while it ran fails', async () => {
  const store = open();
  const job = await submit(store, { rows: 10, chunkRows: 5 });
  store.work(async (work) => {
    if (work.firstRow === 5) {
      await until(async () => (await store.find('alice', job.id))?.completedRows === 5);
      await rm(join(folderOf(job.id), 'results'), { recursive: true });
    }
    return await echo(work);
  });
  const ended = await waitForEnd(store, job);
  expect([ended.completedRows < 10, ended.state]).toEqual([true, 'failed']);
});

test('a job that is ending counts the results that are left', async () => {
  const store = open();
  const job = await submit(store, { rows: 10, chunkRows: 5 });
  const folder = folderOf(job.id);
  const draft = draftOf(folder);
  await writeDraft(draft, Buffer.from('{}\n'.repeat(5)), { completed: 5, failed: 0 });
  await keepDraft(folder, 0, draft);
  expect((await store.find('alice', job.id))?.completedRows).toBe(5);
  await rm(join(folder, 'results'), { recursive: true });
  await writeFile(join(folder, 'end.json'), `${JSON.stringify({ state: 'failed', endedAt: Date.now() })}\n`);
  expect(await store.find('alice', job.id)).toMatchObject({ state: 'failed', completedRows: 0 });
});

test('a folder that was removed while the server ran is created again', async () => {
  const store = open();
  await submit(store);
  await rm(join(root, 'jobs'), { recursive: true });
  expect(await store.list('alice', 10)).toEqual([]);
  const job = await submit(store);
  store.work(echo);
  expect((await waitForEnd(store, job)).state).toBe('completed');
});

test('submissions that arrive count as open jobs', async () => {
  const store = open({ maxOpenJobs: 2 });
  const drafts = [await store.begin(), await store.begin()];
  await expect(store.begin()).rejects.toMatchObject({ code: 'overloaded' });
  for (const draft of drafts) await draft.discard();
  await submit(store);
});

/** The state that a process leaves which was killed, or is frozen, between its key and its job. */
async function leaveKeyed(store: JobStore): Promise<string> {
  const job = await submit(store, { key: 'k' });
  const name = nameOfJob(job.id, 'alice');
  const drafts = join(root, 'jobs', 'drafts');
  const [worker] = await readdir(join(root, 'jobs', 'workers'));
  await rename(folderOf(job.id), join(drafts, `${job.id}.${worker}`));
  expect(existsSync(folderOf(job.id))).toBe(false);
  return name;
}

test('a draft whose process stopped after it had reserved its key becomes the one job of the key', async () => {
  const name = await leaveKeyed(open());
  const store = open();
  const jobs = await Promise.all(Array.from({ length: 10 }, () => submit(store, { key: 'k' })));
  expect(new Set(jobs.map(({ id, owner }) => nameOfJob(id, owner)))).toEqual(new Set([name]));
  expect(await readdir(join(root, 'jobs', 'open'))).toEqual([name]);
  expect(await readdir(join(root, 'jobs', 'drafts'))).toEqual([]);
});

test('a draft whose process is gone becomes a job if it had reserved its key, and is removed otherwise', async () => {
  const first = open();
  const name = await leaveKeyed(first);
  await cp(
    join(root, 'jobs', 'drafts', (await readdir(join(root, 'jobs', 'drafts')))[0] as string),
    join(root, 'jobs', 'drafts', '01a22388-7e42-7c39-8f0a-4d0d6f1e2b11.01a22388-7e42-4c39-8f0a-4d0d6f1e2b11'),
    { recursive: true },
  );
  await rm(join(root, 'jobs', 'workers'), { recursive: true });
  await mkdir(join(root, 'jobs', 'workers'));
  // A store sweeps once it is used.
  await (await open().begin()).discard();
  await until(async () => (await readdir(join(root, 'jobs', 'drafts'))).length === 0);
  expect(await readdir(join(root, 'jobs', 'open'))).toEqual([name]);
});

test('a key whose job is gone is free again, for one of many', async () => {
  const store = open();
  const job = await submit(store, { key: 'k' });
  await rm(folderOf(job.id), { recursive: true });
  const [key] = await readdir(join(root, 'jobs', 'keys'));
  const old = new Date(Date.now() - 60_000);
  await utimes(join(root, 'jobs', 'keys', key as string), old, old);
  const jobs = await Promise.all(Array.from({ length: 10 }, () => submit(store, { key: 'k' })));
  expect(new Set(jobs.map(({ id }) => id)).size).toBe(1);
});
