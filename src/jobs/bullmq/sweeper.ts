import type { JobEvents } from '../queue/job-store.js';
import type { ChunkBlobs } from './blobs/chunk-blobs.js';
import { draftTtlMs } from './bull-draft.js';
import type { ChunkEntry, ChunkQueue } from './chunk-queue.js';
import type { JobsRedis } from './jobs-redis.js';
import { findScript } from './scripts/read-scripts.js';
import { listOf, type Reply, textOf } from './scripts/run-script.js';
import { sweepScript } from './scripts/work-scripts.js';

export interface SweeperOptions {
  readonly redis: JobsRedis;
  readonly blobs: ChunkBlobs;
  readonly queue: ChunkQueue;
  readonly events: JobEvents;
}

const sweepEveryMs = 5_000;
/** All processes together sweep once in this time. */
const pauseMs = 4_500;
const sweepFilesEveryMs = 60_000;

/** Removes what has expired, and gives the queue the chunks that it has lost. */
export class Sweeper {
  readonly #options: SweeperOptions;
  #timer: NodeJS.Timeout | undefined;
  #filesAt = 0;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  begin(): void {
    const sweep = (): void => {
      this.#sweep().catch((error: unknown) => {
        if (this.#options.redis.isNewTrouble()) this.#options.events.onTrouble(error);
      });
    };
    this.#timer = setInterval(sweep, sweepEveryMs).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #sweep(): Promise<void> {
    const { redis, blobs, queue } = this.#options;
    if (!redis.isReady) return;
    const [removed, missing, old] = await redis.run(sweepScript, pauseMs, queue.entryPrefix);
    await queue.add(toEntries(missing));
    for (const entry of toEntries(old)) await queue.restore(entry);
    for (const id of listOf(removed).map(textOf)) await blobs.removeJob(id);
    if (performance.now() < this.#filesAt) return;
    this.#filesAt = performance.now() + sweepFilesEveryMs;
    for (const id of await blobs.listIdle(draftTtlMs)) {
      const [hash] = await redis.run(findScript, id);
      if (listOf(hash).length === 0) await blobs.removeJob(id);
    }
  }
}

function toEntries(reply: Reply | undefined): readonly ChunkEntry[] {
  return listOf(reply).map((entry) => {
    const [job, chunk] = listOf(entry);
    return { job: textOf(job), chunk: Number(textOf(chunk)) };
  });
}
