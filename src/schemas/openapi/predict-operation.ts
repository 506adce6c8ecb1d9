import type { TSchema } from '@sinclair/typebox';
import type { ErrorCode } from '../../errors.js';
import type { LoadedVersion } from '../../models/registry/loaded-version.js';
import { describeFeatures } from './feature-table.js';
import type { Json } from './json.js';
import { describeResponses, header } from './responses.js';

/** What a prediction may be refused with, besides what may befall any request. */
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
  description:
    "How long the answer may take, in milliseconds, where that is less than the version's own limit",
  schema: { type: 'integer', minimum: 1, maximum: 999_999_999 },
};

const answerHeaders: Json = {
  'x-cache': header('Whether the answer was remembered', { type: 'string', enum: ['hit', 'miss', 'off'] }),
  'server-timing': header('Milliseconds in the queue and in the run'),
};

/** What all ways to a prediction have in common. */
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

/** The prediction of one version: `request` and `answer` are the names of its schemas. */
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
  'A tensor may also be `{"shape": [1, 2], "data": [0, 1]}` or `{"shape": [1, 2], "base64": "…"}` with little-endian bytes, which is shorter. Here it is nested arrays alone: no schema can say that a shape and the count of the values fit.';

/**
 * The general way, which has the model, or its version too, in its address. OpenAPI looks at the paths without
 * parameters first: what has a path of its own, which is listed by its parameter, is not meant here.
 */
export function describeGeneralPrediction(
  listed: Readonly<Record<string, readonly string[]>>,
  security: unknown,
): Json {
  const isOfVersion = 'version' in listed;
  const whose = isOfVersion
    ? 'a version that has no path here, an alias, or `latest`'
    : 'a model that has no path here, or an alias';
  return describeOperation({
    operationId: isOfVersion ? 'predictWithVersion' : 'predictWithModel',
    summary: `Predict with ${whose}`,
    description:
      'What the body is depends on the model: `GET /models/{model}/versions/{version}`, with `latest` for the newest, has its schema as `request_schema`, and an example.',
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

/** The answer's own members, and which version gave it. */
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
