import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { inject } from 'vitest';
import { BullJobStore } from '../../src/jobs/bullmq/bull-job-store.js';
import type { Loss } from '../../src/jobs/bullmq/losses.js';
import { readRedisAddress } from '../../src/redis/connection/redis-address.js';
import { type OpenStoreOptions, type StoreWorld, silentEvents } from '../contracts/job-store.js';

export interface BullWorld extends StoreWorld {
  /** All of its keys begin with it. */
  readonly prefix: string;
  readonly client: Redis;
  /** The folder that all stores share, and what is in it. */
  readonly dir: string;
  listFolders(): Promise<readonly string[]>;
  open(options?: OpenBullOptions): BullJobStore;
}

export interface OpenBullOptions extends OpenStoreOptions {
  readonly maxRedisBytes?: number;
  readonly hasDir?: boolean;
  readonly onLosses?: (losses: readonly Loss[]) => void;
}

/** Stores in the Redis of this test run, or in another one. */
export async function createBullWorld(
  url = inject('redisUrl'),
  clientUrl = url,
  prefix = `test-${randomUUID()}:{jobs}:`,
): Promise<BullWorld> {
  const client = new Redis(clientUrl);
  // A test may stop its Redis.
  client.on('error', () => undefined);
  const dir = await mkdtemp(join(tmpdir(), 'sardonyx-jobs-'));
  const stores: BullJobStore[] = [];
  return {
    prefix,
    client,
    dir,
    listFolders: () => readdir(dir),
    handOverMs: 3_000,
    // Redis removes the keys by itself.
    sweep: async () => undefined,
    open({
      maxOpenJobs = 1_000,
      keepMs = 60_000,
      maxRedisBytes = 67_108_864,
      hasDir,
      events,
      onLosses,
    } = {}) {
      const store = new BullJobStore({
        address: { address: readRedisAddress(url) },
        prefix,
        maxOpenJobs,
        keepMs,
        maxRedisBytes,
        dir: hasDir ? dir : undefined,
        events: { ...silentEvents, ...events },
        ...(onLosses && { onLosses }),
      });
      stores.push(store);
      return store;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(stores.map((store) => store.close()));
      await Promise.all(stores.map((store) => store.disconnect()));
      if (url === inject('redisUrl')) {
        const keys = await client.keys(`${prefix.replace(/[{}]/g, '\\$&')}*`);
        if (keys.length > 0) await client.unlink(keys);
      }
      client.disconnect();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
