import type { ChunkSize, Job, JobFailure, JobSpec } from './job.js';

/** A submission that is still arriving. Nothing of it is visible before `accept`. */
export interface JobDraft {
  /** Appends a chunk, whose rows are lines: see `spool.ts`. Throws `jobs_unavailable`. */
  add(rows: Buffer, size: ChunkSize): Promise<void>;
  /**
   * Makes the job durable. If the owner has submitted a job with the same idempotency key before, that job is returned,
   * and the draft is removed. Throws `jobs_unavailable`; `idempotency_conflict` if the earlier body was another one.
   */
  accept(spec: JobSpec, idempotency?: Idempotency): Promise<Job>;
  /** Removes the draft. Safe to call after `accept`, and twice. */
  discard(): Promise<void>;
}

export interface Idempotency {
  readonly key: string;
  /** The digest of the rows and of the address. */
  readonly digest: string;
}

/** A chunk to be run. */
export interface ChunkWork {
  readonly job: JobSpec & Pick<Job, 'id'>;
  /** The place of its first row in the job. */
  readonly firstRow: number;
  readonly rows: ChunkRows;
  /** Where the run may write its results with `writeDraft`, if the store keeps files. The file is not there yet. */
  readonly draft?: string | undefined;
  /** Whether the store keeps the results packed: the run may pack them. See `packed.ts`. */
  readonly isPacked?: boolean | undefined;
  /** `destroyed` once the job has been cancelled, or the store closes: runs that have not begun are dropped. */
  readonly claim: { readonly destroyed: boolean };
}

/** The rows of a chunk as lines: see `spool.ts`. */
export interface ChunkRows {
  /** At least so many. */
  readonly count: number;
  readonly bytes: number;
  /** Where they are, if they are in a file. */
  readonly part?: FilePart | undefined;
  /** What `pack` has made of them, if they are in memory in this form. */
  readonly packed?: Buffer | undefined;
  /** Throws `DamagedJobError`, `GoneJobError`, and what the system throws. */
  load(): Promise<Buffer>;
}

/** Some lines of a file. */
export interface FilePart {
  readonly path: string;
  readonly count: number;
  readonly from: number;
  readonly bytes: number;
}

/** The results of a chunk: a line for each row. */
export interface ChunkResults {
  /** Undefined if the run has written them to the file `draft` of its work, or has packed them. */
  readonly lines: Buffer | undefined;
  readonly packed?: Buffer | undefined;
  readonly completed: number;
  readonly failed: number;
}

/** Thrown by the run of a chunk if no other attempt can succeed: the job ends as failed. */
export class JobFailedError extends Error {
  override readonly name = 'JobFailedError';
  readonly failure: JobFailure;
  /** Whether another process may be able to run the chunk: it may have the version that this one lacks. */
  readonly isLocal: boolean;

  constructor(failure: JobFailure, { isLocal = false } = {}) {
    super(failure.detail);
    this.failure = failure;
    this.isLocal = isLocal;
  }
}

export type RunChunk = (work: ChunkWork) => Promise<ChunkResults>;

/** Jobs that wait or run, and the acceptance of the oldest one in milliseconds since 1970. */
export interface JobCounts {
  readonly queued: number;
  readonly running: number;
  readonly oldestAt?: number | undefined;
}

/** Keeps jobs, their rows and their results. All methods throw `jobs_unavailable` if the store cannot be used. */
export interface JobStore {
  /** Begins a submission. Throws `overloaded` if too many jobs wait. */
  begin(): Promise<JobDraft>;
  /** Undefined for an unknown job, and for one of another owner. */
  find(owner: string, id: string): Promise<Job | undefined>;
  /** The jobs of an owner, the latest first, from the one after `before`. */
  list(owner: string, limit: number, before?: string): Promise<readonly Job[]>;
  /** Ends a job as cancelled. Returns false if it has ended already. */
  cancel(job: Job): Promise<boolean>;
  /** The result lines of a chunk; undefined if it has not been answered. */
  readResults(job: Job, chunk: number): Promise<Buffer | undefined>;
  counts(): Promise<JobCounts>;
  /** Begins to run chunks. A failed attempt is repeated later; after some attempts the job fails. */
  work(run: RunChunk): void;
  /** Gives back the chunks that run. The other methods still work: requests in flight need them. */
  close(): Promise<void>;
  /** Closes the connections of the store, if it has any: call it last. */
  disconnect?(): Promise<void>;
}

/** What happens in a store: for logs and metrics. */
export interface JobEvents {
  readonly onEnd: (job: Job) => void;
  /** A chunk has been answered. */
  readonly onChunk: (job: JobSpec, results: ChunkResults) => void;
  /** An attempt to run a chunk has failed, and will be repeated. */
  readonly onRetry: (job: JobSpec & Pick<Job, 'id'>, chunk: number, error: unknown) => void;
  /** The store itself has failed: it tries again. */
  readonly onTrouble: (error: unknown) => void;
}
