import type { TSchema } from '@sinclair/typebox';
import { type ErrorCode, errorCatalogue } from '../errors.js';
import type { LoadedModel } from '../models/loaded-model.js';
import type { Manifest } from '../models/manifest.js';
import { describeFeatures } from './feature-table.js';

type Json = Record<string, unknown>;

export interface OpenApiDocument extends Json {
  paths?: Record<string, Json>;
}

/** One path of the document that a loaded version answers. */
export interface DocumentedVersion {
  readonly path: string;
  readonly summary: string;
  readonly loaded: LoadedModel;
}

/** What a prediction may be refused with, besides what may befall any request. */
const predictCodes: readonly ErrorCode[] = [
  'invalid_input',
  'invalid_json',
  'invalid_request',
  'model_not_found',
  'version_not_found',
  'request_timeout',
  'body_too_large',
  'unsupported_media_type',
  'output_not_finite',
  'output_not_exact',
  'output_too_large',
  'run_failed',
  'internal',
  'overloaded',
  'executor_lost',
  'model_unavailable',
  'deadline_exceeded',
];
/** What an operation that needs a key may be refused with. */
const keyCodes: readonly ErrorCode[] = ['api_key_missing', 'api_key_invalid', 'forbidden'];

/** The ways to present a key, by the names that operations have for them. */
export const securitySchemes = {
  apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' },
  bearer: { type: 'http', scheme: 'bearer', description: 'The same key, as `Authorization: Bearer`' },
} as const;

const timeoutParameter = {
  name: 'x-request-timeout-ms',
  in: 'header',
  description:
    "How long the answer may take, in milliseconds, where that is less than the version's own limit",
  schema: { type: 'integer', minimum: 1, maximum: 999_999_999 },
};
const fixedTags = [
  { name: 'models', description: 'What is loaded, what is refused and why' },
  { name: 'health', description: 'For people, for Kubernetes and for Prometheus' },
];

/**
 * Puts the loaded versions into the document of the routes: where a route has the model as a parameter, one
 * path for each, with its real features, ranges, units, and an example that works. OpenAPI 3.1.
 */
export function describeModels(
  base: OpenApiDocument,
  versions: readonly DocumentedVersion[],
): OpenApiDocument {
  const paths = Object.entries(base.paths ?? {}).filter(([path]) => !path.endsWith('/predict'));
  for (const [path, operations] of paths) {
    const codes: ErrorCode[] = [
      ...(path.includes('{model}') ? (['model_not_found'] as const) : []),
      ...(path.includes('{version}') ? (['version_not_found'] as const) : []),
    ];
    for (const operation of Object.values(operations)) addProblems(operation as Json, codes);
  }
  const modelTags = new Map(versions.map(({ loaded: { manifest } }) => [manifest.name, toTag(manifest)]));
  // All ways to a prediction need the same.
  const security = (base.paths?.['/predict']?.['post'] as Json | undefined)?.['security'];
  return {
    ...base,
    tags: [...modelTags.values(), ...fixedTags],
    paths: Object.fromEntries([...versions.map((it) => describePath(it, security)), ...paths]),
  };
}

function toTag({ name, description }: Manifest): Json {
  return { name, description: description ?? `Predictions of ${name}` };
}

function describePath({ path, summary, loaded }: DocumentedVersion, security: unknown): [string, Json] {
  const { manifest, task } = loaded;
  const description = [manifest.description, describeFeatures(manifest)].filter(Boolean).join('\n\n');
  const operation: Json = {
    tags: [manifest.name],
    summary,
    ...(description !== '' && { description }),
    // A slash is in no name, so that no two versions share an id.
    operationId: path.slice(1),
    ...(security !== undefined && { security }),
    parameters: [timeoutParameter],
    requestBody: {
      required: true,
      content: {
        'application/json': {
          schema: task.requestSchema,
          ...(task.exampleProblem === undefined && { example: task.example }),
        },
      },
    },
    responses: {
      200: {
        description: 'The answer',
        headers: {
          'x-request-id': header('The id of this request, in every log line about it'),
          'x-cache': header('hit, miss or off'),
          'server-timing': header('Milliseconds in the queue and in the run'),
        },
        content: { 'application/json': { schema: describeAnswer(task.answerSchema, manifest.name) } },
      },
    },
  };
  addProblems(operation, predictCodes);
  return [path, { post: operation }];
}

function describeAnswer(schema: TSchema, model: string): Json {
  return {
    type: 'object',
    required: [...(schema['required'] ?? []), 'model', 'model_version', 'prediction_id'],
    properties: {
      ...schema['properties'],
      model: { const: model },
      model_version: { type: 'string' },
      prediction_id: { type: 'string', format: 'uuid' },
    },
    additionalProperties: false,
  };
}

function header(description: string): Json {
  return { description, schema: { type: 'string' } };
}

/** The statuses of these codes, and one entry for what may befall any request. */
function addProblems(operation: Json, own: readonly ErrorCode[]): void {
  const codes = operation['security'] === undefined ? own : [...own, ...keyCodes];
  const responses = (operation['responses'] ?? {}) as Json;
  for (const status of new Set(codes.map((code) => errorCatalogue[code].status))) {
    const these = codes.filter((code) => errorCatalogue[code].status === status);
    const description = these.map((code) => `\`${code}\`: ${errorCatalogue[code].title}`).join('. ');
    responses[status] = describeProblem(description, these[0] as ErrorCode);
  }
  responses['default'] = describeProblem('Any other error', 'internal');
  operation['responses'] = responses;
}

function describeProblem(description: string, code: ErrorCode): Json {
  const { status, title } = errorCatalogue[code];
  const example = { type: `/errors#${code}`, code, title, status, request_id: 'a-client-may-choose-it' };
  const schema = { $ref: '#/components/schemas/Problem' };
  return { description, content: { 'application/problem+json': { schema, example } } };
}
