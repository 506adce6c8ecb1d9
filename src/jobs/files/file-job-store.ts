import { stat } from 'node:fs/promises';
import { codeOf, ServiceError } from '../../errors.js';
import type { EndState, Job, JobFailure } from '../queue/job.js';
import { isJobId } from '../queue/job-id.js';
import type { JobCounts, JobDraft, JobEvents, JobStore, RunChunk } from '../queue/job-store.js';
import { refuseManyJobs, toStoreError } from '../queue/refusals.js';
import { openDraft } from './file-draft.js';
import { FileJobReader } from './file-job-reader.js';
import { FileJobWorker } from './file-job-worker.js';
import { FolderWatch } from './folder-watch.js';
import { ifThere, JobFolders, nameOfJob } from './job-folders.js';
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

/** Submissions that may arrive at the same time: each holds a chunk of rows and an open file. */
const maxDrafts = 256;
const sweepEveryMs = 60_000;

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
  readonly #watch: FolderWatch;
  #sweeper: NodeJS.Timeout | undefined;
  /** Submissions that are arriving. */
  #drafts = 0;
  #ready: Promise<void> | undefined;

  constructor(options: FileJobStoreOptions) {
    this.#options = options;
    this.#folders = new JobFolders(options.stateDir);
    this.#presence = new WorkerPresence(this.#folders);
    this.#jobs = new OpenJobs(this.#folders);
    this.#reader = new FileJobReader(this.#folders, options.keepMs);
    this.#worker = new FileJobWorker({
      folders: this.#folders,
      presence: this.#presence,
      jobs: this.#jobs,
      events: options.events,
      end: (name, state, failure) => this.#end(name, state, failure),
    });
    this.#watch = new FolderWatch(async () => {
      // Without a folder no job has ever been submitted.
      if ((await ifThere(stat(this.#folders.root))) !== undefined) {
        await this.#begin();
        await this.#jobs.scan();
      }
      this.#worker.wake();
    }, options.events.onTrouble);
  }

  begin(): Promise<JobDraft> {
    return this.#attempt(async () => {
      await this.#begin();
      const busy = this.#jobs.size + this.#drafts;
      if (busy >= this.#options.maxOpenJobs || this.#drafts >= maxDrafts) throw refuseManyJobs(busy);
      this.#drafts += 1;
      let isOpen = true;
      const leave = (): void => {
        if (isOpen) this.#drafts -= 1;
        isOpen = false;
      };
      const draft = await this.#openDraft().catch((error) => {
        leave();
        throw error;
      });
      return {
        add: (rows, size) => this.#attempt(() => draft.add(rows, size)),
        accept: (spec, idempotency) => this.#attempt(() => draft.accept(spec, idempotency).finally(leave)),
        discard: async () => {
          leave();
          await draft.discard().catch(this.#options.events.onTrouble);
        },
      };
    });
  }

  async #openDraft(): Promise<JobDraft> {
    const open = () =>
      openDraft({
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
    return await open().catch(async (error) => {
      if (codeOf(error) !== 'ENOENT') throw error;
      // The folder was removed while the server ran.
      this.#folders.forget();
      await this.#folders.create();
      await this.#presence.show();
      return await open();
    });
  }

  find(owner: string, id: string): Promise<Job | undefined> {
    return this.#attempt(async () =>
      isJobId(id) ? await this.#reader.read(nameOfJob(id, owner)) : undefined,
    );
  }

  list(owner: string, limit: number, before?: string): Promise<readonly Job[]> {
    const { onTrouble } = this.#options.events;
    return this.#attempt(() => this.#reader.list(owner, limit, before, onTrouble));
  }

  cancel({ id, owner }: Job): Promise<boolean> {
    return this.#attempt(() => this.#end(nameOfJob(id, owner), 'cancelled'));
  }

  readResults({ id, owner }: Job, chunk: number): Promise<Buffer | undefined> {
    return this.#attempt(() => this.#reader.readResults(nameOfJob(id, owner), chunk));
  }

  counts(): Promise<JobCounts> {
    return this.#attempt(() => this.#jobs.counts((name) => this.#reader.hasBegun(name)));
  }

  work(run: RunChunk): void {
    this.#worker.begin(run);
    this.#watch.begin();
  }

  async close(): Promise<void> {
    this.#watch.end();
    await this.#worker.close();
  }

  /** Until then no other process removes the drafts of this one. */
  async disconnect(): Promise<void> {
    clearInterval(this.#sweeper);
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
    this.#watch.begin();
    const sweep = () =>
      removeExpired(this.#folders, this.#presence, this.#options.keepMs).catch(
        this.#options.events.onTrouble,
      );
    void sweep();
    this.#sweeper = setInterval(sweep, sweepEveryMs).unref();
  }

  /** Returns false if the job has ended already, or in another state. */
  async #end(name: string, state: EndState, failure?: JobFailure): Promise<boolean> {
    // If the disk fails now, the next scan finds the job again.
    this.#jobs.remove(name);
    const ended = await this.#reader.end(name, state, failure);
    if (ended === undefined) return false;
    this.#options.events.onEnd(ended);
    return ended.state === state;
  }

  async #attempt<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (!(cause instanceof ServiceError)) this.#options.events.onTrouble(cause);
      throw toStoreError(cause);
    }
  }
}
