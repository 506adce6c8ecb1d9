import type { TSchema } from '@sinclair/typebox';
import type { ErrorCode } from '../../errors.js';
import type { LoadedVersion } from '../../models/registry/loaded-version.js';
import { describeFeatures } from './feature-table.js';
import type { Json } from './json.js';
import { describeResponses, header } from './responses.js';

/** Errors of a prediction, besides those of any request. */
const predictCodes: readonly ErrorCode[] = [
  'invalid_input',
  'invalid_json',
  'model_not_found',
  'body_too_large',
  'unsupported_media_type',
  'output_not_finite',
  'output_not_exact',
  'output_too_large',
  'run_failed',
  'overloaded',
  'not_ready',
  'executor_lost',
  'model_unavailable',
  'deadline_exceeded',
];

const timeoutParameter = {
  name: 'x-request-timeout-ms',
  in: 'header',
  description: 'Time limit of the request in milliseconds. It has no effect above the limit of the version',
  schema: { type: 'integer', minimum: 1, maximum: 999_999_999 },
};

const answerHeaders: Json = {
  'x-cache': header('Whether the answer came from the cache', {
    type: 'string',
    enum: ['hit', 'miss', 'off'],
  }),
  'server-timing': header('Milliseconds in the queue and in the run'),
};

/** The common parts of all prediction operations. */
export interface Frame {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly Json[];
  readonly request: { readonly schema: Json; readonly example?: unknown };
  readonly answer: Json;
  readonly codes?: readonly ErrorCode[];
  readonly security: unknown;
  readonly isV1?: boolean;
}

/** The operation of one version. `request` and `answer` are the names of its schemas. */
export function describePrediction(
  frame: Pick<Frame, 'operationId' | 'summary' | 'security'>,
  { manifest, task }: LoadedVersion,
  request: string,
  answer: string,
): Json {
  const forms = manifest.task === 'tensor' ? tensorForms : '';
  const description = [manifest.description, describeFeatures(manifest), forms].filter(Boolean).join('\n\n');
  return describeOperation({
    ...frame,
    ...(description !== '' && { description }),
    tags: [manifest.name],
    request: {
      schema: refTo(request),
      ...(task.exampleProblem === undefined && { example: task.example }),
    },
    answer: refTo(answer),
  });
}

const tensorForms =
  'A tensor may also be `{"shape": [1, 2], "data": [0, 1]}` or `{"shape": [1, 2], "base64": "…"}` with little-endian bytes, which is shorter. This schema describes nested arrays only, because no schema can say that a shape fits the number of values.';

/**
 * The operation with the model, or also the version, as a parameter. OpenAPI prefers paths without parameters, so the
 * models or versions in `listed`, which have paths of their own, are excluded from the parameter.
 */
export function describeGeneralPrediction(
  listed: Readonly<Record<string, readonly string[]>>,
  security: unknown,
): Json {
  const isOfVersion = 'version' in listed;
  const whose = isOfVersion
    ? 'a version without its own path in this document, an alias, or `latest`'
    : 'a model without its own path in this document, or an alias';
  return describeOperation({
    operationId: isOfVersion ? 'predictWithVersion' : 'predictWithModel',
    summary: `Predict with ${whose}`,
    description:
      'The body depends on the model. `GET /models/{model}/versions/{version}`, with `latest` for the newest version, returns its schema as `request_schema`, and an example.',
    tags: ['models'],
    parameters: ['model', ...Object.keys(listed).filter((name) => name !== 'model')].map((name) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: 'string', minLength: 1, ...(listed[name]?.length && { not: { enum: listed[name] } }) },
    })),
    request: { schema: { type: 'object', additionalProperties: true } },
    answer: withOrigin({ type: 'object', properties: {} }, { type: 'string' }, true),
    codes: isOfVersion ? ['version_not_found'] : [],
    security,
  });
}

/** Adds the members that every answer has, such as the version that gave it. */
export function withOrigin(schema: TSchema | Json, model: Json, isOpen = false): Json {
  return {
    type: 'object',
    required: [
      ...((schema['required'] as string[] | undefined) ?? []),
      'model',
      'model_version',
      'prediction_id',
    ],
    properties: {
      ...(schema['properties'] as Json),
      model,
      model_version: { type: 'string' },
      prediction_id: { type: 'string', format: 'uuid' },
    },
    additionalProperties: isOpen,
  };
}

export function describeOperation(all: Frame): Json {
  const { request, answer, codes = [], parameters = [], security, isV1 = false, ...frame } = all;
  const responses = {
    200: {
      description: 'The answer',
      headers: answerHeaders,
      content: { 'application/json': { schema: answer } },
    },
  };
  return {
    ...frame,
    ...(security !== undefined && { security }),
    parameters: [...parameters, timeoutParameter],
    requestBody: { required: true, content: { 'application/json': request } },
    responses: describeResponses(responses, [...predictCodes, ...codes], {
      isLimited: true,
      needsKey: security !== undefined,
      isV1,
    }),
  };
}

export function refTo(name: string): Json {
  return { $ref: `#/components/schemas/${name}` };
}
