import type { QueueAddress } from '../redis/connection/queue-client.js';
import { FileJobStore } from './files/file-job-store.js';
import type { JobEvents, JobStore } from './queue/job-store.js';

export interface JobStoreSettings {
  readonly STATE_DIR: string;
  readonly JOB_TTL_SECONDS: number;
  readonly JOBS_MAX_OPEN: number;
  readonly JOBS_MIN_FREE_MB: number;
  readonly JOBS_DIR?: string | undefined;
  readonly JOBS_REDIS_MAX_MB: number;
}

export interface JobStoreEvents extends JobEvents {
  /** Redis may lose accepted jobs: a name and a text for each way. Called once. */
  readonly onLosses: (losses: Readonly<Record<string, string>>) => void;
}

const megabyte = 1_048_576;

/** Opens the store of jobs: in Redis, for all servers that use it, or in the folder of this server. */
export async function openJobStore(
  settings: JobStoreSettings,
  redis: QueueAddress | undefined,
  { onLosses, ...events }: JobStoreEvents,
): Promise<JobStore> {
  const { STATE_DIR: stateDir, JOBS_MAX_OPEN: maxOpenJobs, JOBS_DIR: dir } = settings;
  const keepMs = 1_000 * settings.JOB_TTL_SECONDS;
  if (redis === undefined) {
    const minFreeBytes = megabyte * settings.JOBS_MIN_FREE_MB;
    return new FileJobStore({ stateDir, maxOpenJobs, keepMs, minFreeBytes, events });
  }
  // Imported here: BullMQ and ioredis cost a start without Redis time and memory.
  const { BullJobStore } = await import('./bullmq/bull-job-store.js');
  const { lossTexts } = await import('./bullmq/losses.js');
  const maxRedisBytes = megabyte * settings.JOBS_REDIS_MAX_MB;
  return new BullJobStore({
    address: redis,
    maxOpenJobs,
    keepMs,
    maxRedisBytes,
    dir,
    events,
    onLosses: (found) => onLosses(Object.fromEntries(found.map((loss) => [loss, lossTexts[loss]]))),
  });
}
