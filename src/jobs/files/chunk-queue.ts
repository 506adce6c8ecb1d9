import { type ChunkPlace, hasRows, listAnswered, placeChunks, readCounts } from './chunk-files.js';
import { claimChunk } from './claims.js';
import type { JobFolders } from './job-folders.js';
import { readEnd, readRecord } from './job-record.js';
import type { OpenJob, OpenJobs } from './open-jobs.js';
import type { WorkerPresence } from './worker-presence.js';

/** How long the claim of another process is believed without a look. */
const believeMs = 1_000;

export interface ClaimedChunk {
  readonly job: OpenJob;
  readonly chunk: number;
  readonly place: ChunkPlace;
}

export interface ChunkQueueHooks {
  /** All chunks of the job have results, or it has ended elsewhere. */
  readonly onAnswered: (job: OpenJob) => Promise<void>;
  /** The files of the job cannot be used. Other jobs go on. */
  readonly onFault: (job: OpenJob, error: unknown) => Promise<void>;
}

/** Finds and claims the next chunk that this process is to run. */
export class ChunkQueue {
  readonly #folders: JobFolders;
  readonly #jobs: OpenJobs;
  readonly #presence: WorkerPresence;
  readonly #hooks: ChunkQueueHooks;

  constructor(folders: JobFolders, jobs: OpenJobs, presence: WorkerPresence, hooks: ChunkQueueHooks) {
    this.#folders = folders;
    this.#jobs = jobs;
    this.#presence = presence;
    this.#hooks = hooks;
  }

  /** Undefined if no chunk is to be run now. */
  async next(): Promise<ClaimedChunk | undefined> {
    for (const job of this.#jobs.inTurn()) {
      try {
        const claimed = await this.#claimOf(job);
        if (claimed === undefined) continue;
        this.#jobs.tookTurn(job);
        return claimed;
      } catch (error) {
        await this.#hooks.onFault(job, error);
      }
    }
    return undefined;
  }

  async #claimOf(job: OpenJob): Promise<ClaimedChunk | undefined> {
    const folder = this.#folders.open(job.name);
    if (job.record === undefined) {
      const record = await readRecord(folder);
      if (record === undefined) {
        this.#jobs.remove(job.name);
        return undefined;
      }
      // The process that ended the job was killed before it moved the folder.
      if ((await readEnd(folder)) !== undefined) {
        await this.#hooks.onAnswered(job);
        return undefined;
      }
      job.record ??= record;
      job.places = placeChunks(record.chunks);
      for (const chunk of await listAnswered(folder)) job.answered.add(chunk);
    }
    const { chunks } = job.record;
    const now = performance.now();
    while (job.answered.has(job.answeredBefore)) job.answeredBefore += 1;
    for (let chunk = job.answeredBefore; chunk < chunks.length; chunk += 1) {
      if (job.answered.has(chunk) || job.running.has(chunk)) continue;
      if ((job.claimedElsewhere.get(chunk) ?? 0) > now) continue;
      // Before the first `await`: this process looks for chunks at several places at once.
      job.running.add(chunk);
      let place: ChunkPlace | undefined;
      try {
        place = await this.#claim(job, folder, chunk);
      } finally {
        if (place === undefined) job.running.delete(chunk);
      }
      if (place !== undefined) return { job, chunk, place };
    }
    if (job.answered.size === chunks.length) await this.#hooks.onAnswered(job);
    return undefined;
  }

  async #claim(job: OpenJob, folder: string, chunk: number): Promise<ChunkPlace | undefined> {
    const isClaimed = await claimChunk(folder, chunk, this.#presence);
    if (isClaimed === undefined) this.#jobs.remove(job.name);
    if (isClaimed === false) {
      if ((await readCounts(folder, chunk)) === undefined)
        job.claimedElsewhere.set(chunk, performance.now() + believeMs);
      else job.answered.add(chunk);
    }
    if (!isClaimed) return undefined;
    // It may have been answered before the claim.
    if ((await readCounts(folder, chunk)) !== undefined) {
      job.answered.add(chunk);
      return undefined;
    }
    // The job may have ended meanwhile.
    return (await hasRows(folder)) ? job.places[chunk] : undefined;
  }
}
