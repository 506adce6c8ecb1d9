import { readdir, stat } from 'node:fs/promises';
import { ServiceError } from '../../errors.js';
import { type EndState, hasEnded, type Job, type JobFailure } from '../queue/job.js';
import { isJobId, timeOfJobId } from '../queue/job-id.js';
import type { JobCounts, JobDraft, JobEvents, JobStore, RunChunk } from '../queue/job-store.js';
import { readResultLines } from './chunk-files.js';
import { openDraft } from './file-draft.js';
import { FileJobReader } from './file-job-reader.js';
import { FileJobWorker } from './file-job-worker.js';
import { ifThere, JobFolders, nameOfJob, tagOfOwner } from './job-folders.js';
import { OpenJobs } from './open-jobs.js';
import { removeExpired } from './sweep.js';
import { WorkerPresence } from './worker-presence.js';

export interface FileJobStoreOptions {
  readonly stateDir: string;
  /** Jobs that may wait or run. */
  readonly maxOpenJobs: number;
  /** How long an ended job and its results are kept. */
  readonly keepMs: number;
  /** Free space of the disk that a submission leaves. */
  readonly minFreeBytes: number;
  readonly events: JobEvents;
}

const sweepEveryMs = 60_000;
/** How often a process looks for jobs of other processes. */
const lookEveryMs = 1_000;

/**
 * Keeps jobs as files in a folder. A job survives the end of its process at any moment, and goes on when a server with
 * the same folder runs; several processes may share the folder. See `JobFolders` for the layout.
 */
export class FileJobStore implements JobStore {
  readonly #options: FileJobStoreOptions;
  readonly #folders: JobFolders;
  readonly #presence: WorkerPresence;
  readonly #jobs: OpenJobs;
  readonly #reader: FileJobReader;
  readonly #worker: FileJobWorker;
  #sweeper: NodeJS.Timeout | undefined;
  #watcher: NodeJS.Timeout | undefined;
  #isLooking = false;
  #ready: Promise<void> | undefined;

  constructor(options: FileJobStoreOptions) {
    this.#options = options;
    this.#folders = new JobFolders(options.stateDir);
    this.#presence = new WorkerPresence(this.#folders);
    this.#jobs = new OpenJobs(this.#folders);
    this.#reader = new FileJobReader(this.#folders);
    this.#worker = new FileJobWorker({
      folders: this.#folders,
      presence: this.#presence,
      jobs: this.#jobs,
      events: options.events,
      end: (name, state, failure) => this.#end(name, state, failure),
    });
  }

  begin(): Promise<JobDraft> {
    return this.#attempt(async () => {
      await this.#begin();
      if (this.#jobs.size >= this.#options.maxOpenJobs) {
        const detail = `${this.#jobs.size} jobs wait or run already.`;
        throw new ServiceError('overloaded', { detail, retryAfterSeconds: 10 });
      }
      const draft = await openDraft({
        folders: this.#folders,
        workerId: this.#presence.id,
        minFreeBytes: this.#options.minFreeBytes,
        exists: async (name) => (await this.#reader.read(name)) !== undefined,
        read: async (name) => (await this.#reader.read(name)) as Job,
        onAccepted: (name) => {
          this.#jobs.add(name);
          this.#worker.wake();
        },
      });
      return {
        add: (rows, size) => this.#attempt(() => draft.add(rows, size)),
        accept: (spec, idempotency) => this.#attempt(() => draft.accept(spec, idempotency)),
        discard: () => draft.discard().catch(this.#options.events.onTrouble),
      };
    });
  }

  find(owner: string, id: string): Promise<Job | undefined> {
    return this.#attempt(async () =>
      isJobId(id) ? await this.#reader.read(nameOfJob(id, owner)) : undefined,
    );
  }

  list(owner: string, limit: number, before?: string): Promise<readonly Job[]> {
    return this.#attempt(async () => {
      await this.#folders.create();
      const ending = `.${tagOfOwner(owner)}`;
      const names = [...(await readdir(this.#folders.open())), ...(await readdir(this.#folders.ended()))];
      const own = new Set(names.filter((name) => name.endsWith(ending)));
      const jobs: Job[] = [];
      for (const name of [...own].sort().reverse()) {
        if (before !== undefined && name >= before) continue;
        const job = await this.#reader.read(name);
        if (job !== undefined) jobs.push(job);
        if (jobs.length === limit) break;
      }
      return jobs;
    });
  }

  cancel({ id, owner }: Job): Promise<boolean> {
    return this.#attempt(() => this.#end(nameOfJob(id, owner), 'cancelled'));
  }

  readResults({ id, owner }: Job, chunk: number): Promise<Buffer | undefined> {
    const name = nameOfJob(id, owner);
    return this.#attempt(async () => {
      for (const folder of [this.#folders.open(name), this.#folders.ended(name)]) {
        const lines = await readResultLines(folder, chunk);
        if (lines !== undefined) return lines;
      }
      return undefined;
    });
  }

  async counts(): Promise<JobCounts> {
    let running = 0;
    for (const { answered, running: chunks } of this.#jobs.values()) {
      if (answered.size + chunks.size > 0) running += 1;
    }
    const { oldest, size } = this.#jobs;
    return {
      queued: size - running,
      running,
      oldestAt: oldest === undefined ? undefined : timeOfJobId(oldest),
    };
  }

  work(run: RunChunk): void {
    this.#worker.begin(run);
    this.#watch();
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    clearInterval(this.#watcher);
    await this.#worker.close();
    await this.#presence.end().catch(this.#options.events.onTrouble);
  }

  #begin(): Promise<void> {
    this.#ready ??= this.#prepare().catch((error) => {
      this.#ready = undefined;
      throw error;
    });
    return this.#ready;
  }

  async #prepare(): Promise<void> {
    await this.#folders.create();
    await this.#presence.begin(this.#options.events.onTrouble);
    await this.#jobs.scan();
    this.#watch();
    const sweep = () =>
      removeExpired(this.#folders, this.#presence, this.#options.keepMs).catch(
        this.#options.events.onTrouble,
      );
    void sweep();
    this.#sweeper = setInterval(sweep, sweepEveryMs).unref();
  }

  #watch(): void {
    if (this.#watcher !== undefined) return;
    this.#watcher = setInterval(() => void this.#look(), lookEveryMs).unref();
    void this.#look();
  }

  /** Finds jobs that other processes have accepted, and forgets those that they have ended. */
  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      // Without a folder no job has ever been submitted.
      if ((await ifThere(stat(this.#folders.root))) !== undefined) {
        await this.#begin();
        await this.#jobs.scan();
      }
    } catch (error) {
      this.#options.events.onTrouble(error);
    }
    this.#isLooking = false;
    this.#worker.wake();
  }

  /** Returns false if the job has ended already. */
  async #end(name: string, state: EndState, failure?: JobFailure): Promise<boolean> {
    // If the disk fails now, the next scan finds the job again.
    this.#jobs.remove(name);
    const ended = await this.#reader.end(name, state, failure);
    if (ended === undefined) return false;
    this.#options.events.onEnd(ended);
    return hasEnded(ended);
  }

  async #attempt<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (cause instanceof ServiceError) throw cause;
      this.#options.events.onTrouble(cause);
      const detail =
        'The server cannot keep jobs now: send fewer rows with `prefer: wait=N`, or try again later.';
      throw new ServiceError('jobs_unavailable', { detail, retryAfterSeconds: 5, cause });
    }
  }
}
