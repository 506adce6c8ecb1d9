import type { ErrorCode } from '../../errors.js';

export type JobState = 'queued' | 'running' | 'completed' | 'failed' | 'cancelled';

/** The states after which nothing of a job changes. */
export type EndState = Extract<JobState, 'completed' | 'failed' | 'cancelled'>;

/** What a job is about. It is fixed when the job is accepted. */
export interface JobSpec {
  /** The id of the key that submitted the job, which alone may see it; empty without keys. */
  readonly owner: string;
  readonly model: string;
  readonly version: string;
  /** The version's digest: a folder with the same name and other files is another version. */
  readonly identity: string;
  readonly requestId: string;
  /** `traceparent` of the request that submitted the job, if it was traced. */
  readonly trace?: string | undefined;
}

/** Rows that are stored, claimed, run and answered together. */
export interface ChunkSize {
  readonly rows: number;
  readonly bytes: number;
}

/** Why a job ended without all its answers. */
export interface JobFailure {
  readonly code: ErrorCode;
  readonly detail: string;
}

/** Times are milliseconds since 1970. */
export interface Job extends JobSpec {
  readonly id: string;
  readonly state: JobState;
  readonly acceptedAt: number;
  readonly startedAt?: number | undefined;
  readonly endedAt?: number | undefined;
  readonly chunks: readonly ChunkSize[];
  readonly completedRows: number;
  readonly failedRows: number;
  readonly failure?: JobFailure | undefined;
}

export function countRows({ chunks }: Pick<Job, 'chunks'>): number {
  return chunks.reduce((sum, { rows }) => sum + rows, 0);
}

export function hasEnded({ state }: Pick<Job, 'state'>): boolean {
  return state !== 'queued' && state !== 'running';
}
