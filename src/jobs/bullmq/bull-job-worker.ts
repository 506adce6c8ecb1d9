import { setTimeout as pause } from 'node:timers/promises';
import { type Job as Entry, WaitingError, Worker } from 'bullmq';
import {
  createQueueClient,
  type QueueAddress,
  type QueueClient,
} from '../../redis/connection/queue-client.js';
import { maxRunning } from '../queue/attempts.js';
import type { EndState, JobFailure } from '../queue/job.js';
import type { JobEvents, RunChunk } from '../queue/job-store.js';
import type { ChunkBlobs } from './blobs/chunk-blobs.js';
import type { ChunkEntry, ChunkQueue } from './chunk-queue.js';
import { ChunkRun, type ChunkRunHost } from './chunk-run.js';
import type { JobsRedis } from './jobs-redis.js';
import { listOf, textOf } from './scripts/run-script.js';
import { bullPrefix, queueName } from './scripts/script-parts.js';
import { endedScript } from './scripts/work-scripts.js';
import { Sweeper } from './sweeper.js';

export interface BullJobWorkerOptions {
  readonly address: QueueAddress;
  readonly redis: JobsRedis;
  readonly blobs: ChunkBlobs;
  readonly queue: ChunkQueue;
  readonly keepMs: number;
  readonly events: JobEvents;
  readonly end: (id: string, state: EndState, failure?: JobFailure) => Promise<boolean>;
}

/** A process renews the lock of a chunk that it runs. Without it the chunk is run again, at the next check. */
const lockMs = 10_000;
const checkLocksEveryMs = 5_000;
/** How often a process asks whether the jobs that it runs have been cancelled. */
const lookEveryMs = 500;
/** How long `close` waits for Redis. */
const closeMs = 1_500;
const retryMs = 1_000;

/** Runs chunks that BullMQ gives this process. */
export class BullJobWorker {
  readonly #options: BullJobWorkerOptions;
  readonly #sweeper: Sweeper;
  readonly #runs = new Map<string, ChunkRun>();
  readonly #connections: QueueClient[] = [];
  readonly #closing = new AbortController();
  #worker: Worker<ChunkEntry> | undefined;
  #looker: NodeJS.Timeout | undefined;

  constructor(options: BullJobWorkerOptions) {
    this.#options = options;
    this.#sweeper = new Sweeper(options);
  }

  begin(run: RunChunk): void {
    if (this.#closing.signal.aborted) return;
    const { address, redis, events } = this.#options;
    const connection = this.#track(createQueueClient(address, 'endless'));
    const host: ChunkRunHost = { ...this.#options, run, closing: this.#closing.signal };
    // A worker of BullMQ ends for good if its connection fails before it was ever ready.
    connection.once('ready', () => {
      if (this.#closing.signal.aborted) return;
      this.#worker = new Worker<ChunkEntry>(queueName, (entry, token) => this.#process(entry, token, host), {
        connection,
        prefix: bullPrefix(redis.prefix),
        concurrency: maxRunning,
        lockDuration: lockMs,
        stalledInterval: checkLocksEveryMs,
        // `ChunkRun` counts the processes that a chunk has ended.
        maxStalledCount: 1_000_000,
        runRetryDelay: retryMs,
        skipVersionCheck: true,
      });
      this.#worker.on('error', (error) => {
        // A lost connection is made again, and the calls that fail report it.
        if (redis.isReady && redis.isNewTrouble()) events.onTrouble(error);
      });
    });
    this.#looker = setInterval(() => void this.#look(), lookEveryMs).unref();
    this.#sweeper.begin();
  }

  /** Gives the chunks that run back to the queue. Waits for Redis for a limited time. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#looker);
    this.#sweeper.close();
    const runs = [...this.#runs.values()];
    for (const run of runs) run.stop();
    const closed = this.#worker?.close().catch(() => undefined);
    // A run of the engine ends before its rows are given back.
    await Promise.all(runs.map((run) => run.ended));
    if (closed !== undefined) await Promise.race([closed, pause(closeMs)]);
    // BullMQ 6.7.0 waits for ever for a Redis that is away (taskforcesh/bullmq#4656): its connections are closed here.
    for (const connection of this.#connections) connection.disconnect();
  }

  async #process(entry: Entry<ChunkEntry>, token: string | undefined, host: ChunkRunHost): Promise<void> {
    const id = entry.id ?? '';
    const run = new ChunkRun(host, entry.data, entry.attemptsMade, entry.stalledCounter);
    this.#runs.set(id, run);
    try {
      if ((await run.finish()) !== 'given back') return;
    } finally {
      this.#runs.delete(id);
    }
    await entry.moveToWait(token);
    throw new WaitingError();
  }

  /** Ends the runs of jobs that have been cancelled, or have failed elsewhere. */
  async #look(): Promise<void> {
    const ids = [...new Set([...this.#runs.values()].map(({ job }) => job))];
    if (ids.length === 0) return;
    const ended = await this.#options.redis.run(endedScript, ...ids).catch(() => []);
    const gone = new Set(listOf(ended).map(textOf));
    for (const run of this.#runs.values()) if (gone.has(run.job)) run.stop();
  }

  /** BullMQ copies the connection for its blocking command. */
  #track<T extends QueueClient>(connection: T): T {
    this.#connections.push(connection);
    connection.on('error', () => undefined);
    const duplicate = connection.duplicate.bind(connection) as (...args: unknown[]) => T;
    connection.duplicate = ((...args: unknown[]) => this.#track(duplicate(...args))) as T['duplicate'];
    return connection;
  }
}
