import { ServiceError } from '../../errors.js';
import { nameOfKey, tagOfOwner } from '../queue/digests.js';
import type { ChunkSize, Job, JobSpec } from '../queue/job.js';
import { createJobId } from '../queue/job-id.js';
import type { Idempotency, JobDraft } from '../queue/job-store.js';
import { pack } from '../queue/packed.js';
import { DamagedJobError, refuseManyJobs, refuseOtherRows } from '../queue/refusals.js';
import type { ChunkBlobs } from './blobs/chunk-blobs.js';
import { toRecord } from './job-hash.js';
import { askTimeoutMs, type JobsRedis, NoAnswerError } from './jobs-redis.js';
import { listOf, type Reply, textOf } from './scripts/run-script.js';
import { acceptScript, beginScript, spoolScript } from './scripts/submission-scripts.js';

export interface DraftHost {
  readonly redis: JobsRedis;
  readonly blobs: ChunkBlobs;
  readonly maxOpenJobs: number;
  readonly maxRedisBytes: number;
  readonly read: (id: string) => Promise<Job | undefined>;
  /** Adds the first chunks of an accepted job to the queue. Never rejects. */
  readonly onAccepted: (id: string, chunks: readonly number[]) => Promise<void>;
  /** It is not known whether the job was accepted: its submitter was not told. Removes it with its rows, or keeps both. */
  readonly revoke: (id: string) => void;
}

/** Rows whose submitter is gone expire. */
export const draftTtlMs = 900_000;
const megabyte = 1_048_576;

/** Throws `overloaded`, and as `JobsRedis.run` does. */
export async function openBullDraft(host: DraftHost): Promise<JobDraft> {
  const { redis, blobs, maxOpenJobs } = host;
  const id = createJobId();
  const [redisTime, open] = await redis.run(beginScript);
  const startedAt = performance.now();
  if (Number(open) >= maxOpenJobs) throw refuseManyJobs(Number(open));
  const chunks: (readonly [rows: number, bytes: number])[] = [];
  let firstRow = 0;
  let used = 0;
  let state: 'open' | 'accepted' | 'unknown' | 'over' = 'open';

  async function accept(spec: JobSpec, idempotency: Idempotency | undefined): Promise<readonly Reply[]> {
    const deadline = Number(redisTime) + performance.now() - startedAt + askTimeoutMs;
    const { owner } = spec;
    try {
      return await redis.run(
        acceptScript,
        id,
        tagOfOwner(owner),
        toRecord(spec),
        JSON.stringify(chunks),
        chunks.length,
        used,
        Math.floor(deadline),
        maxOpenJobs,
        idempotency === undefined ? '' : nameOfKey(owner, idempotency.key),
        idempotency?.digest ?? '',
      );
    } catch (error) {
      // An error of Redis itself says that the script did nothing; without one, it may have run.
      if (error instanceof NoAnswerError || !redis.isReady) {
        // The rows stay. Another submission with the same key may get this job before it is revoked.
        state = 'unknown';
        host.revoke(id);
      }
      throw error;
    }
  }

  return {
    async add(lines, size: ChunkSize) {
      const name = `rows-${chunks.length}`;
      const kept = await blobs.keep(id, name, await pack(lines), used);
      if (kept === undefined) throw refuseSize(host.maxRedisBytes);
      await redis.run(spoolScript, id, chunks.length, withFirstRow(firstRow, kept), draftTtlMs);
      used += kept.length;
      firstRow += size.rows;
      chunks.push([size.rows, size.bytes]);
    },
    async accept(spec, idempotency) {
      await blobs.sync(id);
      const [outcome, first, issued] = await accept(spec, idempotency);
      switch (textOf(outcome)) {
        case 'accepted': {
          state = 'accepted';
          await host.onAccepted(id, listOf(issued).map(Number));
          const sizes = chunks.map(([rows, bytes]) => ({ rows, bytes }));
          const acceptedAt = Number(first);
          return { ...spec, id, state: 'queued', acceptedAt, chunks: sizes, completedRows: 0, failedRows: 0 };
        }
        case 'earlier': {
          const earlier = await host.read(textOf(first));
          if (earlier !== undefined) return earlier;
          throw new Error('the earlier job was removed meanwhile');
        }
        case 'conflict':
          throw refuseOtherRows();
        case 'full':
          throw refuseManyJobs(Number(first));
        default:
          throw new Error('Redis has lost the rows of the draft, or ran its acceptance too late');
      }
    },
    async discard() {
      if (state !== 'open') return;
      state = 'over';
      await blobs.removeJob(id);
      if (chunks.length === 0) return;
      // Not awaited: Redis may be frozen, and the submitter waits for its error. The rows expire.
      redis.ask(() => redis.client.unlink(`${redis.prefix}job:${id}:rows`)).catch(() => undefined);
    },
  };
}

/** The place of the first row goes with the rows: the process that runs them need not read all chunks. */
function withFirstRow(firstRow: number, kept: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${firstRow} `), kept]);
}

/** The parts of what Redis holds for the rows of a chunk. Throws `DamagedJobError`. */
export function readFirstRow(stored: Buffer): { readonly firstRow: number; readonly kept: Buffer } {
  const [head, digits] = /^(\d{1,15}) /.exec(stored.toString('latin1', 0, 16)) ?? [];
  if (head === undefined) throw new DamagedJobError('the place of a chunk in Redis is damaged');
  return { firstRow: Number(digits), kept: stored.subarray(head.length) };
}

function refuseSize(maxBytes: number): ServiceError {
  const detail = `The rows need more than ${maxBytes / megabyte} MB in Redis (JOBS_REDIS_MAX_MB): send them in several jobs, or ask the operator to set JOBS_DIR, a folder that all servers share.`;
  return new ServiceError('body_too_large', { detail });
}
