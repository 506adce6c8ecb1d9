import type { ErrorCode } from '../../errors.js';
import type { LoadedVersion } from '../../models/registry/loaded-version.js';
import type { Json } from './json.js';

/** The error codes of the routes that answer many rows, by path. */
export const batchCodes: Readonly<Record<string, readonly ErrorCode[]>> = Object.fromEntries(
  ['/predict/batch', '/models/{model}/predict/batch', '/models/{model}/versions/{version}/predict/batch'].map(
    (path) => [
      path,
      [
        'model_not_found',
        'version_not_found',
        'not_ready',
        'model_unavailable',
        'invalid_json',
        'invalid_input',
        'body_too_large',
        'unsupported_media_type',
        'output_too_large',
        'deadline_exceeded',
        'executor_lost',
        'overloaded',
      ] as const,
    ],
  ),
);

/** Adds a batch of one row, which the default model answers, as the example of the body of `/predict/batch`. */
export function withBatchExample(operation: Json, { task }: LoadedVersion): Json {
  const { content, ...rest } = operation['requestBody'] as {
    readonly content: Readonly<Record<string, Json>>;
  };
  const json = { ...content['application/json'], example: { instances: [task.example] } };
  return { ...operation, requestBody: { ...rest, content: { ...content, 'application/json': json } } };
}
