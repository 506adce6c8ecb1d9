import { ServiceError } from '../../errors.js';

/** What a store of jobs has kept is not there any more, or does not have the form in which it was written. */
export class DamagedJobError extends Error {
  override readonly name: string = 'DamagedJobError';
}

/** The job has ended elsewhere, and its files are not there any more. */
export class GoneJobError extends Error {
  override readonly name = 'GoneJobError';
}

/** `open` jobs wait or run. */
export function refuseManyJobs(open: number): ServiceError {
  const detail = `${open} jobs arrive, wait or run already.`;
  return new ServiceError('overloaded', { detail, retryAfterSeconds: 10 });
}

export function refuseOtherRows(): ServiceError {
  const detail = 'An earlier job has this idempotency-key and other rows: use a new key for other rows.';
  return new ServiceError('idempotency_conflict', { detail });
}

/** The error that a client gets for a failure of the store. */
export function toStoreError(cause: unknown): ServiceError {
  if (cause instanceof ServiceError) return cause;
  if (cause instanceof DamagedJobError) return new ServiceError('internal', { cause });
  const detail =
    'The server cannot keep jobs now: send fewer rows with `prefer: wait=N`, or try again later.';
  return new ServiceError('jobs_unavailable', { detail, retryAfterSeconds: 5, cause });
}
