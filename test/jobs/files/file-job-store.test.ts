import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileJobStore } from '../../../src/jobs/files/file-job-store.js';
import type { JobStore } from '../../../src/jobs/queue/job-store.js';
import { describeJobStore, type StoreWorld, silentEvents } from '../../contracts/job-store.js';

async function createWorld(): Promise<StoreWorld> {
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
