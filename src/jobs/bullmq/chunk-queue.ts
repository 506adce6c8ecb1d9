import { Queue } from 'bullmq';
import { firstPauseMs, maxAttempts } from '../queue/attempts.js';
import type { JobsRedis } from './jobs-redis.js';
import { bullPrefix, queueName } from './scripts/script-parts.js';

/** An entry of BullMQ's queue: a chunk of a job. */
export interface ChunkEntry {
  readonly job: string;
  readonly chunk: number;
}

/** BullMQ logs what it does in a stream of Redis, which nobody reads. */
const maxLogEntries = 100;

/** BullMQ's queue of chunks. The same chunk is in it once at most. */
export class ChunkQueue {
  readonly #redis: JobsRedis;
  readonly #queue: Queue<ChunkEntry>;

  constructor(redis: JobsRedis) {
    this.#redis = redis;
    this.#queue = new Queue<ChunkEntry>(queueName, {
      connection: redis.client,
      prefix: bullPrefix(redis.prefix),
      // BullMQ would write its own warnings to the console.
      skipVersionCheck: true,
      streams: { events: { maxLen: maxLogEntries } },
    });
    // The calls that fail reject.
    this.#queue.on('error', () => undefined);
  }

  /** What the names of the keys of entries begin with. */
  get entryPrefix(): string {
    return `${bullPrefix(this.#redis.prefix)}:${queueName}:`;
  }

  /** Throws as `JobsRedis.ask` does. */
  async add(entries: readonly ChunkEntry[]): Promise<void> {
    if (entries.length === 0) return;
    const jobs = entries.map((data) => ({
      name: 'chunk',
      data,
      opts: {
        jobId: idOf(data),
        attempts: maxAttempts,
        backoff: { type: 'exponential', delay: firstPauseMs },
        removeOnComplete: true,
        removeOnFail: true,
      },
    }));
    await this.#redis.ask(() => this.#queue.addBulk(jobs));
  }

  /** Adds an entry again if the queue has lost it: Redis may remove a list, and leave the entry. */
  async restore(entry: ChunkEntry): Promise<void> {
    const state = await this.#redis.ask(() => this.#queue.getJobState(idOf(entry)));
    if (state !== 'unknown') return;
    await this.#redis.ask(() => this.#queue.remove(idOf(entry)));
    await this.add([entry]);
  }

  /** The connection stays open: it is not the queue's. */
  async close(): Promise<void> {
    await this.#queue.close();
  }
}

/** BullMQ does not take ids with a colon. */
function idOf({ job, chunk }: ChunkEntry): string {
  return `${job}-${chunk}`;
}
