import { rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { codeOf } from '../../errors.js';
import { firstPauseMs, maxRunning, toFailure } from '../queue/attempts.js';
import type { EndState, JobFailure } from '../queue/job.js';
import { type JobEvents, JobFailedError, type RunChunk } from '../queue/job-store.js';
import { DamagedJobError, GoneJobError } from '../queue/refusals.js';
import { draftOf, keepDraft, locateRows, partOf, writeDraft } from './chunk-files.js';
import { ChunkQueue, type ClaimedChunk } from './chunk-queue.js';
import { releaseChunk } from './claims.js';
import type { JobFolders } from './job-folders.js';
import type { JobRecord } from './job-record.js';
import type { OpenJob, OpenJobs } from './open-jobs.js';
import type { WorkerPresence } from './worker-presence.js';

export interface FileJobWorkerOptions {
  readonly folders: JobFolders;
  readonly presence: WorkerPresence;
  readonly jobs: OpenJobs;
  readonly events: JobEvents;
  readonly end: (name: string, state: EndState, failure?: JobFailure) => Promise<boolean>;
}

/** The longest pause after a failure of the disk. */
const maxTroublePauseMs = 30_000;
/** A job whose version this process lacks is left to others for so long: in a rolling release only some have it. */
const maxLackMs = 60_000;
const lackPauseMs = 2_000;

/** Runs the chunks of the jobs in a folder. */
export class FileJobWorker {
  readonly #options: FileJobWorkerOptions;
  readonly #queue: ChunkQueue;
  readonly #loops: Promise<void>[] = [];
  readonly #sleepers = new Set<() => void>();
  readonly #closing = new AbortController();
  /** Failures of the disk in sequence. */
  #troubles = 0;

  constructor(options: FileJobWorkerOptions) {
    this.#options = options;
    const { folders, jobs, presence, end } = options;
    this.#queue = new ChunkQueue(folders, jobs, presence, {
      onAnswered: async ({ name }) => void (await end(name, 'completed')),
      onFault: (job, error) => this.#handleFault(job, error),
    });
  }

  begin(run: RunChunk): void {
    for (let k = 0; k < maxRunning; k += 1) this.#loops.push(this.#loop(run));
  }

  /** There may be a chunk to run: a job was accepted or found, or the time of one has come. */
  wake(): void {
    for (const wake of this.#sleepers) wake();
    this.#sleepers.clear();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const { claim } of this.#options.jobs.values()) claim.destroyed = true;
    this.wake();
    await Promise.all(this.#loops);
  }

  async #loop(run: RunChunk): Promise<void> {
    while (!this.#closing.signal.aborted) {
      let claimed: ClaimedChunk | undefined;
      try {
        claimed = await this.#queue.next();
        if (claimed !== undefined) await this.#answer(claimed, run);
        this.#troubles = 0;
      } catch (error) {
        this.#options.events.onTrouble(error);
        await this.#pause(Math.min(firstPauseMs * 2 ** this.#troubles, maxTroublePauseMs));
        this.#troubles += 1;
        continue;
      }
      if (claimed === undefined && !this.#closing.signal.aborted)
        await new Promise<void>((resolve) => this.#sleepers.add(resolve));
    }
  }

  /** The files of a job cannot be used now, or are damaged. Other jobs go on meanwhile. */
  async #handleFault(job: OpenJob, error: unknown): Promise<void> {
    const { events, end, folders } = this.#options;
    events.onTrouble(error);
    if (passing.has(codeOf(error))) {
      job.pausedUntil = performance.now() + Math.min(firstPauseMs * 2 ** job.troubles, maxTroublePauseMs);
      job.troubles += 1;
      return;
    }
    try {
      await end(job.name, 'failed', { code: 'internal', detail: 'The files of the job are damaged.' });
    } catch (cause) {
      events.onTrouble(cause);
      // Not even its record can be read. Another fault passes: the next scan finds the job again.
      if (cause instanceof DamagedJobError) await folders.setAside(job.name);
    }
  }

  /** Whether another process may have the version that this one lacks. */
  async #leavesToOthers(job: OpenJob): Promise<boolean> {
    const now = performance.now();
    job.lacksSince ||= now;
    if (now - job.lacksSince > maxLackMs || (await this.#options.presence.countOthers()) === 0) return false;
    job.pausedUntil = now + lackPauseMs;
    return true;
  }

  async #pause(ms: number): Promise<void> {
    await pause(ms, undefined, { signal: this.#closing.signal }).catch(() => undefined);
  }

  async #answer({ job, chunk, place }: ClaimedChunk, run: RunChunk): Promise<void> {
    const { folders, events, end } = this.#options;
    const folder = folders.open(job.name);
    const record = job.record as JobRecord;
    const draft = draftOf(folder);
    try {
      const rows = locateRows(partOf(folder, place));
      const results = await run({ job: record, firstRow: place.firstRow, rows, draft, claim: job.claim });
      if (results.lines !== undefined) await writeDraft(draft, results.lines, results);
      const outcome = await keepDraft(folder, chunk, draft);
      if (outcome === 'gone') return;
      job.answered.add(chunk);
      job.troubles = 0;
      if (outcome === 'written') events.onChunk(record, results);
      if (job.answered.size < record.chunks.length) return;
      // Before the end, which removes the folder of claims.
      await releaseChunk(folder, chunk);
      await end(job.name, 'completed');
    } catch (error) {
      await rm(draft, { force: true }).catch(events.onTrouble);
      if (job.claim.destroyed || error instanceof GoneJobError) return;
      if (error instanceof DamagedJobError || isSystemError(error))
        return await this.#handleFault(job, error);
      if (error instanceof JobFailedError && error.isLocal) {
        if (!(await this.#leavesToOthers(job))) await end(job.name, 'failed', error.failure);
        return;
      }
      const attempt = job.attempts.get(chunk) ?? 0;
      const failure = toFailure(error, attempt);
      if (failure !== undefined) {
        await end(job.name, 'failed', failure);
        return;
      }
      job.pausedUntil = performance.now() + firstPauseMs * 2 ** attempt;
      job.attempts.set(chunk, attempt + 1);
      events.onRetry(record, chunk, error);
    } finally {
      job.running.delete(chunk);
      await releaseChunk(folder, chunk).catch(events.onTrouble);
    }
  }
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}

/** Errors of the disk that pass: the disk is full, or the process has too many files open. */
const passing = new Set([
  'ENOSPC',
  'EDQUOT',
  'EROFS',
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'EIO',
  'ESTALE',
  'EACCES',
  'EPERM',
]);
