import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeDraft } from '../../../src/jobs/files/chunk-files.js';
import { FileJobStore } from '../../../src/jobs/files/file-job-store.js';
import type { JobStore, RunChunk } from '../../../src/jobs/queue/job-store.js';
import {
  describeJobStore,
  echo,
  expectedResults,
  readAll,
  type StoreWorld,
  silentEvents,
  submit,
  waitForEnd,
} from '../../contracts/job-store.js';

async function createWorld(): Promise<StoreWorld & { readonly stateDir: string }> {
  const stateDir = await mkdtemp(join(tmpdir(), 'sardonyx-jobs-'));
  const stores: JobStore[] = [];
  const open: StoreWorld['open'] = ({ maxOpenJobs = 1_000, keepMs = 60_000, events } = {}) => {
    const store = new FileJobStore({
      stateDir,
      maxOpenJobs,
      keepMs,
      minFreeBytes: 0,
      events: { ...silentEvents, ...events },
    });
    stores.push(store);
    return store;
  };
  return {
    stateDir,
    handOverMs: 5_000,
    open,
    async sweep() {
      // A store sweeps once it is used.
      await (await open({ keepMs: 500 }).begin()).discard();
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(stores.map((store) => store.close()));
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}

describeJobStore('files', createWorld);

/** As the process of batch jobs does it. */
const echoToDraft: RunChunk = async (work) => {
  const { lines, ...counts } = await echo(work);
  await writeDraft(work.draft as string, lines, counts);
  return { lines: undefined, ...counts };
};

test('files: the run of a chunk may write its results itself, and what a failed attempt has written is removed', async () => {
  await using world = await createWorld();
  const store = world.open();
  const job = await submit(store, { rows: 12, chunkRows: 4 });
  let attempts = 0;
  const drafts: (string | undefined)[] = [];
  store.work(async (work) => {
    drafts.push(work.draft);
    const results = await echoToDraft(work);
    attempts += 1;
    if (attempts === 1) throw new Error('after the draft was written');
    return results;
  });
  expect(await waitForEnd(store, job)).toMatchObject({ state: 'completed', completedRows: 12 });
  expect(await readAll(store, job)).toEqual(expectedResults(12));
  expect(new Set(drafts).size).toBe(4);
  const files = await readdir(world.stateDir, { recursive: true });
  expect(files.filter((name) => name.includes('/results/')).map((name) => name.slice(-6))).toEqual([
    '000000',
    '000001',
    '000002',
  ]);
});
