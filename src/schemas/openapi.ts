import type { TSchema } from '@sinclair/typebox';
import { errorCatalogue } from '../errors.js';
import type { LoadedModel } from '../models/loaded-model.js';

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

/**
 * Puts the loaded versions into the document of the routes: where a route has the model as a parameter, one
 * path for each, with its real features, ranges, units, and an example that works. OpenAPI 3.1.
 */
export function describeModels(
  base: OpenApiDocument,
  versions: readonly DocumentedVersion[],
): OpenApiDocument {
  const paths = Object.entries(base.paths ?? {}).filter(([path]) => !path.endsWith('/predict'));
  for (const [, operations] of paths) {
    for (const operation of Object.values(operations)) addProblems(operation as Json, [400, 404, 500]);
  }
  return { ...base, paths: Object.fromEntries([...versions.map(describePath), ...paths]) };
}

function describePath({ path, summary, loaded }: DocumentedVersion): [string, Json] {
  const { manifest, task } = loaded;
  const operation: Json = {
    tags: [manifest.name],
    summary,
    ...(manifest.description !== undefined && { description: manifest.description }),
    operationId: path.slice(1).replace(/[^A-Za-z0-9]+/g, '_'),
    requestBody: {
      required: true,
      content: { 'application/json': { schema: task.requestSchema, example: task.example } },
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
  addProblems(operation, [400, 404, 408, 413, 415, 422, 431, 500, 503, 504]);
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
  };
}

function header(description: string): Json {
  return { description, schema: { type: 'string' } };
}

/** Each status of the catalogue with the codes that it may carry. */
function addProblems(operation: Json, statuses: readonly number[]): void {
  const responses = (operation['responses'] ?? {}) as Json;
  for (const status of statuses) {
    const codes = Object.entries(errorCatalogue).filter(([, entry]) => entry.status === status);
    responses[status] ??= {
      description: codes.map(([code, { title }]) => `\`${code}\`: ${title}`).join('. '),
      content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
    };
  }
  operation['responses'] = responses;
}
