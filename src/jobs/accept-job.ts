import { setTimeout as pause } from 'node:timers/promises';
import { ServiceError } from '../errors.js';
import { hasEnded, type Job, type JobSpec } from './queue/job.js';
import type { JobStore } from './queue/job-store.js';
import type { Submission } from './submission.js';

const firstLookMs = 20;
const maxLookMs = 500;

/**
 * Stores the rows of a submission as a job. With an idempotency key that an earlier job of the owner has, returns that
 * job. `address` is what the client has asked for: it must be the same then, as must the rows. Throws as
 * `JobDraft.accept` and `Submission.store` do.
 */
export async function acceptJob(
  jobs: JobStore,
  spec: JobSpec,
  submission: Submission,
  idempotency: { readonly key: string; readonly address: string } | undefined,
): Promise<Job> {
  const draft = await jobs.begin();
  try {
    const digest = await submission.store(draft, idempotency?.address);
    if (idempotency === undefined || digest === undefined) return await draft.accept(spec);
    return await draft.accept(spec, { key: idempotency.key, digest });
  } finally {
    await draft.discard();
  }
}

/**
 * Returns the job once it has ended; undefined if that takes until the deadline, by `performance.now()`, or if
 * `isGivenUp`.
 */
export async function waitForJob(
  jobs: JobStore,
  job: Job,
  deadline: number,
  isGivenUp: () => boolean,
): Promise<Job | undefined> {
  for (let wait = firstLookMs; ; wait = Math.min(2 * wait, maxLookMs)) {
    const left = deadline - performance.now();
    if (left <= 0 || isGivenUp()) return undefined;
    const now = await jobs.find(job.owner, job.id);
    if (now === undefined || hasEnded(now)) return now;
    await pause(Math.min(wait, left));
  }
}

/** Throws `invalid_request`. */
export function readIdempotencyKey(header: string | readonly string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header === 'string' && /^[\x20-\x7e]{1,255}$/.test(header)) return header;
  const detail = 'The header idempotency-key takes 1 to 255 printable ASCII characters.';
  throw new ServiceError('invalid_request', { detail });
}
