import { setTimeout as pause } from 'node:timers/promises';
import { toFailure } from '../queue/attempts.js';
import type { EndState, JobFailure, JobSpec } from '../queue/job.js';
import { type ChunkResults, type JobEvents, JobFailedError, type RunChunk } from '../queue/job-store.js';
import { holdPacked, pack } from '../queue/packed.js';
import { type ChunkBlobs, LostBlobError } from './blobs/chunk-blobs.js';
import { readFirstRow } from './bull-draft.js';
import type { ChunkEntry, ChunkQueue } from './chunk-queue.js';
import { lostFailure, readJob, readRecord } from './job-hash.js';
import type { JobsRedis } from './jobs-redis.js';
import { bytesOf, listOf, textOf } from './scripts/run-script.js';
import { answerScript, claimScript } from './scripts/work-scripts.js';

export interface ChunkRunHost {
  readonly redis: JobsRedis;
  readonly blobs: ChunkBlobs;
  readonly queue: ChunkQueue;
  readonly keepMs: number;
  readonly events: JobEvents;
  readonly run: RunChunk;
  readonly end: (id: string, state: EndState, failure?: JobFailure) => Promise<boolean>;
  readonly closing: AbortSignal;
}

/** Processes that may end while they run a chunk, before its job has failed. */
const maxDeaths = 5;
const firstTroublePauseMs = 250;
const maxTroublePauseMs = 5_000;

interface ClaimedChunk {
  readonly spec: JobSpec;
  readonly firstRow: number;
  readonly keptRows: Buffer;
  readonly packed: Buffer;
  /** What the job has in Redis. */
  readonly used: number;
}

/** An attempt to run a chunk in this process. */
export class ChunkRun {
  readonly job: string;
  /** Resolves once the rows do not run any more. */
  readonly ended: Promise<void>;
  readonly #host: ChunkRunHost;
  readonly #chunk: number;
  readonly #attempts: number;
  readonly #deaths: number;
  readonly #claim = { destroyed: false };
  #end: () => void = () => undefined;

  /** `attempts`: those that have failed; `deaths`: processes that have ended while they ran the chunk. */
  constructor(host: ChunkRunHost, { job, chunk }: ChunkEntry, attempts: number, deaths: number) {
    this.#host = host;
    this.job = job;
    this.#chunk = chunk;
    this.#attempts = attempts;
    this.#deaths = deaths;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** Drops the runs that have not begun: the job has ended elsewhere, or the store closes. */
  stop(): void {
    this.#claim.destroyed = true;
  }

  /** Throws the error of an attempt that is to be repeated. */
  async finish(): Promise<'done' | 'given back'> {
    try {
      const claimed = await this.#begin();
      if (claimed !== undefined) await this.#store(claimed, await this.#run(claimed));
      return 'done';
    } catch (error) {
      if (this.#host.closing.aborted) return 'given back';
      // The job has been cancelled.
      if (this.#claim.destroyed) return 'done';
      const failure = toFailure(error, this.#attempts);
      if (failure === undefined) throw error;
      await this.#persist(() => this.#host.end(this.job, 'failed', failure));
      return 'done';
    } finally {
      this.#end();
    }
  }

  async #begin(): Promise<ClaimedChunk | undefined> {
    const { redis, blobs } = this.#host;
    const [outcome, record, stored, used] = await this.#persist(() =>
      redis.run(claimScript, this.job, this.#chunk),
    );
    if (textOf(outcome) === 'lost') throw new JobFailedError(lostFailure);
    const bytes = bytesOf(stored);
    if (textOf(outcome) !== 'claimed' || bytes === undefined) return undefined;
    if (this.#deaths >= maxDeaths) {
      const detail = `Rows of the job have ended the process that ran them, ${this.#deaths} times.`;
      throw new JobFailedError({ code: 'executor_lost', detail });
    }
    const { firstRow, kept } = readFirstRow(bytes);
    const packed = await this.#persist(() => blobs.load(this.job, kept));
    return { spec: readRecord(textOf(record)), firstRow, keptRows: kept, packed, used: Number(textOf(used)) };
  }

  async #run({ spec, firstRow, packed }: ClaimedChunk): Promise<ChunkResults> {
    const { run, events } = this.#host;
    const job = { ...spec, id: this.job };
    try {
      const rows = await holdPacked(packed);
      return await run({ job, firstRow, rows, isPacked: true, claim: this.#claim });
    } catch (error) {
      if (!this.#claim.destroyed && toFailure(error, this.#attempts) === undefined)
        events.onRetry(job, this.#chunk, error);
      throw error;
    }
  }

  async #store({ spec, keptRows, used }: ClaimedChunk, results: ChunkResults): Promise<void> {
    const { redis, blobs, queue, keepMs, events } = this.#host;
    const { lines, completed, failed } = results;
    const packed = results.packed ?? (lines && (await pack(lines)));
    if (packed === undefined)
      throw new Error('results without lines need a draft, and this store gives none');
    const kept = await this.#persist(() => blobs.keep(this.job, `results-${this.#chunk}`, packed, used));
    if (kept === undefined) {
      const detail =
        'The results need more room in Redis than a job may take (JOBS_REDIS_MAX_MB): send fewer rows in a job, or ask the operator to set JOBS_DIR, a folder that all servers share.';
      throw new JobFailedError({ code: 'output_too_large', detail });
    }
    const lost = JSON.stringify(lostFailure);
    const [outcome, next] = await this.#persist(() =>
      redis.run(answerScript, this.job, this.#chunk, kept, completed, failed, keepMs, lost),
    );
    if (textOf(outcome) === 'gone') return await blobs.drop(this.job, kept);
    events.onChunk(spec, results);
    await blobs.drop(this.job, keptRows);
    if (textOf(outcome) === 'ended') {
      const job = readJob(this.job, next);
      if (job !== undefined) events.onEnd(job);
      return;
    }
    const entries = listOf(next).map((chunk) => ({ job: this.job, chunk: Number(textOf(chunk)) }));
    await this.#persist(() => queue.add(entries));
  }

  /** Repeats what Redis or a disk refuses: that is not a failed attempt of the job. */
  async #persist<T>(work: () => Promise<T>): Promise<T> {
    for (let ms = firstTroublePauseMs; ; ms = Math.min(2 * ms, maxTroublePauseMs)) {
      try {
        return await work();
      } catch (error) {
        if (error instanceof LostBlobError || this.#host.closing.aborted) throw error;
        if (this.#host.redis.isNewTrouble()) this.#host.events.onTrouble(error);
      }
      await pause(ms, undefined, { signal: this.#host.closing });
    }
  }
}
