import type { ErrorCode } from '../../errors.js';
import type { LoadedVersion } from '../../models/registry/loaded-version.js';
import type { Json } from './json.js';

const submissions = [
  '/predict/batch',
  '/models/{model}/predict/batch',
  '/models/{model}/versions/{version}/predict/batch',
];
const job = '/predict/batch/{job_id}';

/** The error codes of the routes that take many rows, and of those of jobs, by method and path. */
export const batchCodes: Readonly<Record<string, readonly ErrorCode[]>> = {
  ...Object.fromEntries(
    submissions.map((path) => [
      `post ${path}`,
      [
        'model_not_found',
        'version_not_found',
        'not_ready',
        'model_unavailable',
        'invalid_json',
        'invalid_input',
        'idempotency_conflict',
        'body_too_large',
        'unsupported_media_type',
        'executor_lost',
        'jobs_unavailable',
        'overloaded',
      ] as const,
    ]),
  ),
  'get /predict/batch': ['jobs_unavailable'],
  [`get ${job}`]: ['job_not_found', 'jobs_unavailable'],
  [`get ${job}/results`]: ['job_not_found', 'jobs_unavailable'],
  [`get ${job}/events`]: ['job_not_found', 'jobs_unavailable', 'overloaded'],
  [`delete ${job}`]: ['job_not_found', 'job_not_cancellable', 'jobs_unavailable'],
};

/** Adds a batch of one row, which the default model answers, as the example of the body of `/predict/batch`. */
export function withBatchExample(operation: Json, { task }: LoadedVersion): Json {
  const { content, ...rest } = operation['requestBody'] as {
    readonly content: Readonly<Record<string, Json>>;
  };
  const json = { ...content['application/json'], example: { instances: [task.example] } };
  return { ...operation, requestBody: { ...rest, content: { ...content, 'application/json': json } } };
}
