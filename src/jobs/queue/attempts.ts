import { messageOf, ServiceError } from '../../errors.js';
import type { JobFailure } from './job.js';
import { JobFailedError } from './job-store.js';
import { DamagedJobError } from './refusals.js';

/** Chunks that a process runs at the same time: one is read or written while the other one runs. */
export const maxRunning = 2;
/** After this many failed attempts to run a chunk, its job has failed. */
export const maxAttempts = 5;
/** The pause after the first failed attempt; each further one is twice as long. */
export const firstPauseMs = 1_000;

/** Why a job ends after the error of an attempt; undefined if the chunk is to be run again. `failed` attempts came before. */
export function toFailure(error: unknown, failed: number): JobFailure | undefined {
  const isLast = failed + 1 >= maxAttempts;
  // A process that lacks the version leaves the chunk to the others for some attempts: in a rolling release only some
  // have it.
  if (error instanceof JobFailedError) return isLast || !error.isLocal ? error.failure : undefined;
  if (error instanceof DamagedJobError)
    return { code: 'internal', detail: `The stored job cannot be read: ${error.message}.` };
  if (!isLast) return undefined;
  if (error instanceof ServiceError) return { code: error.code, detail: error.detail ?? messageOf(error) };
  return { code: 'internal', detail: 'The server failed.' };
}
