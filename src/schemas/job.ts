import { Type } from '@sinclair/typebox';
import { errorCatalogue } from '../errors.js';
import { countRows, hasEnded, type Job } from '../jobs/queue/job.js';

const Time = (description: string) => Type.Optional(Type.String({ format: 'date-time', description }));
const Count = (description: string) => Type.Integer({ minimum: 0, description });

export const JobSchema = Type.Object(
  {
    job_id: Type.String({ format: 'uuid' }),
    status: Type.String({
      enum: ['queued', 'running', 'completed', 'failed', 'cancelled'],
      description: '`completed` may have failed rows: see `failed_instances`',
    }),
    model: Type.String(),
    model_version: Type.String({ description: 'Fixed when the job was accepted' }),
    total_instances: Count('The rows of the job'),
    completed_instances: Count('The rows that have an answer'),
    failed_instances: Count('The rows that have an error'),
    progress: Type.Number({ minimum: 0, maximum: 1, description: 'The share of rows with a result' }),
    created_at: Type.String({ format: 'date-time' }),
    started_at: Time('When the first rows were run'),
    ended_at: Time('When the job ended'),
    expires_at: Time('When the job and its results are removed'),
    estimated_seconds_left: Type.Optional(
      Type.Number({
        minimum: 0,
        description: 'At the pace of the job so far, with the time in which no server ran',
      }),
    ),
    error: Type.Optional(
      Type.Object(
        { code: Type.String(), title: Type.String(), detail: Type.String() },
        { description: 'Why the job failed' },
      ),
    ),
    results: Type.Optional(
      Type.Array(Type.Object({ index: Type.Integer({ minimum: 0 }) }), {
        description:
          'Once the job has ended: a result for each row, from `offset`, as in `BatchAnswer`. At most `limit` of them, and fewer if they have more than 8 MiB',
      }),
    ),
    next: Type.Optional(
      Type.Integer({ minimum: 1, description: 'The `offset` of the next results, if there are more' }),
    ),
  },
  { $id: 'Job' },
);

export const JobListSchema = Type.Object(
  {
    jobs: Type.Array(Type.Ref('Job'), { description: 'The latest first' }),
    next: Type.Optional(Type.String({ description: 'The `before` of the next page' })),
  },
  { $id: 'JobList' },
);

/** A job as clients see it, without results. `keepMs` is how long an ended job is kept. */
export function toJobAnswer(job: Job, keepMs: number, now = Date.now()): Readonly<Record<string, unknown>> {
  const total = countRows(job);
  const done = job.completedRows + job.failedRows;
  const { failure, startedAt, endedAt } = job;
  return {
    job_id: job.id,
    status: job.state,
    model: job.model,
    model_version: job.version,
    total_instances: total,
    completed_instances: job.completedRows,
    failed_instances: job.failedRows,
    progress: Math.round((10_000 * done) / total) / 10_000,
    created_at: toTime(job.acceptedAt),
    started_at: toTime(startedAt),
    ended_at: toTime(endedAt),
    expires_at: toTime(endedAt === undefined ? undefined : endedAt + keepMs),
    estimated_seconds_left: hasEnded(job) ? undefined : estimateSeconds(job, total, done, now),
    error: failure && {
      code: failure.code,
      title: errorCatalogue[failure.code].title,
      detail: failure.detail,
    },
  };
}

/** Undefined before the first results. */
function estimateSeconds({ startedAt }: Job, total: number, done: number, now: number): number | undefined {
  if (startedAt === undefined || done === 0) return undefined;
  const secondsPerRow = Math.max(0, now - startedAt) / 1_000 / done;
  return Math.round(10 * secondsPerRow * (total - done)) / 10;
}

function toTime(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}
