import { ServiceError } from '../../errors.js';
import type { QueueAddress } from '../../redis/connection/queue-client.js';
import { tagOfOwner } from '../queue/digests.js';
import type { EndState, Job, JobFailure } from '../queue/job.js';
import { isJobId } from '../queue/job-id.js';
import type { JobCounts, JobDraft, JobEvents, JobStore, RunChunk } from '../queue/job-store.js';
import { unpack } from '../queue/packed.js';
import { toStoreError } from '../queue/refusals.js';
import type { ChunkBlobs } from './blobs/chunk-blobs.js';
import { FolderBlobs } from './blobs/folder-blobs.js';
import { RedisBlobs } from './blobs/redis-blobs.js';
import { openBullDraft } from './bull-draft.js';
import { BullJobWorker } from './bull-job-worker.js';
import { ChunkQueue } from './chunk-queue.js';
import { readJob } from './job-hash.js';
import { JobsRedis } from './jobs-redis.js';
import { findLosses, type Loss } from './losses.js';
import { Revocations } from './revocations.js';
import { countScript, findScript, listScript, resultsScript } from './scripts/read-scripts.js';
import { bytesOf, listOf, textOf } from './scripts/run-script.js';
import { jobsPrefix } from './scripts/script-parts.js';
import { endScript } from './scripts/work-scripts.js';

export interface BullJobStoreOptions {
  readonly address: QueueAddress;
  /** Tests share a Redis under prefixes of their own. It has one text in braces. */
  readonly prefix?: string;
  /** Jobs that may wait or run. */
  readonly maxOpenJobs: number;
  /** How long an ended job and its results are kept. */
  readonly keepMs: number;
  /** What a job may keep in Redis. */
  readonly maxRedisBytes: number;
  /** The folder that all servers share, for what is larger. */
  readonly dir?: string | undefined;
  readonly events: JobEvents;
  /** How this Redis may lose accepted jobs; called once Redis is connected. */
  readonly onLosses?: (losses: readonly Loss[]) => void;
}

/**
 * Keeps jobs in Redis, for all servers that use it. BullMQ decides which process runs a chunk, and when a chunk of a
 * dead process is run again; scripts make each change of a job at once. See `script-parts.ts` for the keys.
 */
export class BullJobStore implements JobStore {
  readonly #options: BullJobStoreOptions;
  readonly #redis: JobsRedis;
  readonly #blobs: ChunkBlobs;
  readonly #queue: ChunkQueue;
  readonly #worker: BullJobWorker;
  readonly #revocations: Revocations;

  constructor(options: BullJobStoreOptions) {
    this.#options = options;
    const redis = new JobsRedis(options.address, options.prefix ?? jobsPrefix);
    const inRedis = new RedisBlobs(options.maxRedisBytes);
    const blobs = options.dir === undefined ? inRedis : new FolderBlobs(options.dir, inRedis);
    const queue = new ChunkQueue(redis);
    this.#redis = redis;
    this.#blobs = blobs;
    this.#queue = queue;
    this.#revocations = new Revocations(redis, blobs);
    this.#worker = new BullJobWorker({
      ...options,
      redis,
      blobs,
      queue,
      end: (id, state, failure) => this.#end(id, state, failure),
    });
    redis.client.once('ready', () => {
      findLosses(redis).then(options.onLosses, options.events.onTrouble);
    });
  }

  begin(): Promise<JobDraft> {
    return this.#attempt(async () => {
      const draft = await openBullDraft({
        redis: this.#redis,
        blobs: this.#blobs,
        maxOpenJobs: this.#options.maxOpenJobs,
        maxRedisBytes: this.#options.maxRedisBytes,
        read: (id) => this.#read(id),
        // The job is durable: a chunk that is not in the queue now is added by the next sweep.
        onAccepted: (id, chunks) =>
          this.#queue.add(chunks.map((chunk) => ({ job: id, chunk }))).catch(this.#options.events.onTrouble),
        revoke: (id) => this.#revocations.add(id),
      });
      return {
        add: (rows, size) => this.#attempt(() => draft.add(rows, size)),
        accept: (spec, idempotency) => this.#attempt(() => draft.accept(spec, idempotency)),
        // What is left expires.
        discard: () => draft.discard().catch(() => undefined),
      };
    });
  }

  find(owner: string, id: string): Promise<Job | undefined> {
    return this.#attempt(async () => {
      const job = isJobId(id) ? await this.#read(id) : undefined;
      return job?.owner === owner ? job : undefined;
    });
  }

  list(owner: string, limit: number, before = ''): Promise<readonly Job[]> {
    return this.#attempt(async () => {
      const entries = await this.#redis.run(listScript, tagOfOwner(owner), limit, before);
      return entries.flatMap((entry) => {
        const [id, hash] = listOf(entry);
        try {
          return readJob(textOf(id), hash) ?? [];
        } catch (error) {
          // A damaged job does not hide the others.
          this.#options.events.onTrouble(error);
          return [];
        }
      });
    });
  }

  cancel({ id }: Job): Promise<boolean> {
    return this.#attempt(() => this.#end(id, 'cancelled'));
  }

  readResults({ id }: Job, chunk: number): Promise<Buffer | undefined> {
    return this.#attempt(async () => {
      const [stored] = await this.#redis.run(resultsScript, id, chunk);
      const kept = bytesOf(stored);
      return kept && (await unpack(await this.#blobs.load(id, kept)));
    });
  }

  counts(): Promise<JobCounts> {
    return this.#attempt(async () => {
      const [queued = 0, running = 0, ...oldest] = (await this.#redis.run(countScript)).map(Number);
      const times = oldest.filter((time) => time > 0);
      return { queued, running, oldestAt: times.length === 0 ? undefined : Math.min(...times) };
    });
  }

  work(run: RunChunk): void {
    this.#worker.begin(run);
  }

  async close(): Promise<void> {
    await this.#worker.close();
  }

  async disconnect(): Promise<void> {
    this.#revocations.close();
    this.#redis.close();
    await this.#queue.close().catch(() => undefined);
  }

  async #read(id: string): Promise<Job | undefined> {
    return readJob(id, await this.#redis.run(findScript, id));
  }

  /** Returns false if the job has ended already. */
  async #end(id: string, state: EndState, failure?: JobFailure): Promise<boolean> {
    const text = failure === undefined ? '' : JSON.stringify(failure);
    const [outcome, hash] = await this.#redis.run(endScript, id, state, text, this.#options.keepMs);
    if (textOf(outcome) !== 'ended') return false;
    const job = readJob(id, hash);
    if (job !== undefined) this.#options.events.onEnd(job);
    return true;
  }

  async #attempt<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      const isNew = !(cause instanceof ServiceError) && this.#redis.isNewTrouble();
      if (isNew) this.#options.events.onTrouble(cause);
      throw toStoreError(cause);
    }
  }
}
