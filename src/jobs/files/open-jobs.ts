import { opendir } from 'node:fs/promises';
import { timeOfJobId } from '../queue/job-id.js';
import type { JobCounts } from '../queue/job-store.js';
import type { ChunkPlace } from './chunk-files.js';
import type { JobFolders } from './job-folders.js';
import { readJobName } from './job-folders.js';
import type { JobRecord } from './job-record.js';

/** A job that is not ended, as this process knows it. */
export interface OpenJob {
  readonly name: string;
  /** Read when the job's turn comes. */
  record: JobRecord | undefined;
  /** For each chunk, where it begins. */
  places: readonly ChunkPlace[];
  /** All chunks before this one have results. */
  answeredBefore: number;
  /** Whether any process has run rows of it, as far as this one knows. */
  hasBegun: boolean;
  /** Chunks that have results. */
  readonly answered: Set<number>;
  /** Chunks that this process runs. */
  readonly running: Set<number>;
  /** Failed attempts by chunk. */
  readonly attempts: Map<number, number>;
  /** No attempt begins before, by `performance.now()`. */
  pausedUntil: number;
  /** Failures of the disk in sequence. */
  troubles: number;
  /** Since when this process lacks the version, by `performance.now()`; 0 if it has it. */
  lacksSince: number;
  /** Chunks that a living process has claimed, until when that is believed. */
  readonly claimedElsewhere: Map<number, number>;
  /** Given to the runs of the job's chunks: they end when it is destroyed. */
  readonly claim: { destroyed: boolean };
  lastTurn: number;
  scan: number;
}

/** The first jobs of an owner take turns: a large job does not keep a small one waiting. */
const jobsInTurn = 4;
/** Jobs of which one count asks whether they have begun: others wait behind these. */
const maxLooks = 100;

/** The jobs that are to be run. Owners take turns, and so do the first jobs of an owner. */
export class OpenJobs {
  readonly #folders: JobFolders;
  readonly #jobs = new Map<string, OpenJob>();
  /** Owners, by the tag in the names of their jobs; the one whose turn is next comes first. */
  readonly #owners = new Map<string, Map<string, OpenJob>>();
  #turn = 0;
  #scan = 0;

  constructor(folders: JobFolders) {
    this.#folders = folders;
  }

  get size(): number {
    return this.#jobs.size;
  }

  get(name: string): OpenJob | undefined {
    return this.#jobs.get(name);
  }

  /** The jobs, the oldest first within each owner. */
  values(): IterableIterator<OpenJob> {
    return this.#jobs.values();
  }

  /** Finds the jobs that other processes have accepted, or ended. */
  async scan(): Promise<void> {
    this.#scan += 1;
    const found: string[] = [];
    const folder = await opendir(this.#folders.open(), { bufferSize: 1_024 });
    for await (const { name } of folder) {
      const known = this.#jobs.get(name);
      if (known === undefined) found.push(name);
      else known.scan = this.#scan;
    }
    // The ids sort by time, the order of a folder is any.
    for (const name of found.sort()) this.add(name);
    for (const { name, scan } of this.#jobs.values()) if (scan !== this.#scan) this.remove(name);
  }

  add(name: string): void {
    const tag = readJobName(name)?.tag;
    if (tag === undefined || this.#jobs.has(name)) return;
    const job: OpenJob = {
      name,
      record: undefined,
      places: [],
      answeredBefore: 0,
      hasBegun: false,
      answered: new Set(),
      running: new Set(),
      attempts: new Map(),
      pausedUntil: 0,
      troubles: 0,
      lacksSince: 0,
      claimedElsewhere: new Map(),
      claim: { destroyed: false },
      lastTurn: 0,
      scan: this.#scan,
    };
    this.#jobs.set(name, job);
    const jobs = this.#owners.get(tag);
    if (jobs === undefined) this.#owners.set(tag, new Map([[name, job]]));
    else jobs.set(name, job);
  }

  remove(name: string): void {
    const job = this.#jobs.get(name);
    const tag = readJobName(name)?.tag;
    if (job === undefined || tag === undefined) return;
    job.claim.destroyed = true;
    this.#jobs.delete(name);
    const jobs = this.#owners.get(tag);
    jobs?.delete(name);
    if (jobs?.size === 0) this.#owners.delete(tag);
  }

  /** The jobs in the order of their turns: call `tookTurn` for the one that gets it. */
  *inTurn(): Generator<OpenJob> {
    const now = performance.now();
    for (const jobs of [...this.#owners.values()]) {
      const first: OpenJob[] = [];
      for (const job of jobs.values()) {
        if (job.pausedUntil <= now) first.push(job);
        if (first.length === jobsInTurn) break;
      }
      yield* first.sort((a, b) => a.lastTurn - b.lastTurn);
      for (const job of jobs.values()) if (job.pausedUntil <= now && !first.includes(job)) yield job;
    }
  }

  /** `hasBegun` says whether another process has run rows of a job. It is asked for the oldest jobs only. */
  async counts(hasBegun: (name: string) => Promise<boolean>): Promise<JobCounts> {
    let [running, looks] = [0, 0];
    for (const job of this.#jobs.values()) {
      job.hasBegun ||= job.answered.size + job.running.size > 0;
      if (!job.hasBegun && looks < maxLooks) {
        looks += 1;
        job.hasBegun = await hasBegun(job.name);
      }
      if (job.hasBegun) running += 1;
    }
    let oldest: string | undefined;
    for (const jobs of this.#owners.values()) {
      const [first] = jobs.keys();
      if (first !== undefined && (oldest === undefined || first < oldest)) oldest = first;
    }
    const oldestAt = oldest === undefined ? undefined : timeOfJobId(oldest);
    return { queued: this.size - running, running, oldestAt };
  }

  tookTurn(job: OpenJob): void {
    this.#turn += 1;
    job.lastTurn = this.#turn;
    const tag = readJobName(job.name)?.tag ?? '';
    const jobs = this.#owners.get(tag);
    if (jobs === undefined) return;
    this.#owners.delete(tag);
    this.#owners.set(tag, jobs);
  }
}
