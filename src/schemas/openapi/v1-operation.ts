import type { TSchema } from '@sinclair/typebox';
import type { LoadedVersion } from '../../models/registry/loaded-version.js';
import type { Task } from '../../models/tasks/task.js';
import { describeFeatures } from './feature-table.js';
import type { Json } from './json.js';
import { describeOperation, type Frame, refTo } from './predict-operation.js';

/** The schemas of a request with many rows and of its answer. `request` and `answer` name the schemas of one row. */
export function describeV1Schemas(
  { task, manifest, maxRows }: LoadedVersion,
  request: string,
  answer: string,
): { readonly instances: Json; readonly predictions: Json } {
  const prediction = describePrediction(manifest.output?.names, task.answerSchema);
  const list = describeInstances(task.documentSchema, task.tensors !== undefined, maxRows);
  const isTensor = task.tensors !== undefined;
  const parameters = {
    type: 'object',
    properties: {
      probabilities: {
        type: 'boolean',
        description:
          'Whether each prediction has all its fields, such as the probabilities, or its value only',
      },
    },
    additionalProperties: false,
  };
  return {
    instances: {
      type: 'object',
      required: ['instances'],
      properties: {
        instances: isTensor ? list : { ...list, items: refTo(request) },
        ...(!isTensor && { parameters }),
        signature_name: { type: 'string', enum: ['serving_default'] },
      },
      additionalProperties: false,
    },
    predictions: {
      type: 'object',
      required: ['predictions'],
      properties: {
        predictions: { type: 'array', items: isTensor ? {} : { anyOf: [prediction, refTo(answer)] } },
      },
      additionalProperties: false,
    },
  };
}

/** The tensors of each row: bare if the graph has one input, else by the names of the inputs. */
function describeInstances(document: TSchema, isTensor: boolean, maxRows: number): Json {
  const rows = { type: 'array', minItems: 1, maxItems: maxRows };
  if (!isTensor) return rows;
  const inputs = document['properties'].inputs.properties as Readonly<Record<string, Json>>;
  const entries = Object.entries(inputs).map(([name, { items = {} }]) => [name, items as Json] as const);
  const [first] = Object.values(inputs);
  // A graph may fix how many rows it takes.
  const { minItems = 1, maxItems = maxRows } = (first ?? {}) as { minItems?: number; maxItems?: number };
  const list = { ...rows, minItems, maxItems: Math.max(minItems, Math.min(maxItems, maxRows)) };
  const [only, ...others] = entries;
  if (only !== undefined && others.length === 0) return { ...list, items: only[1] };
  const row = {
    type: 'object',
    required: entries.map(([name]) => name),
    properties: Object.fromEntries(entries),
    additionalProperties: false,
  };
  return { ...list, items: row };
}

function describePrediction(names: readonly string[] | undefined, answer: TSchema): Json {
  if (names === undefined) return answer['properties'].prediction as Json;
  return { type: 'array', items: { type: 'number' }, minItems: names.length, maxItems: names.length };
}

/** The operation for many rows of a model. `instances` and `predictions` are the names of its schemas. */
export function describeV1Prediction(
  frame: Pick<Frame, 'operationId' | 'summary' | 'security'>,
  { manifest, task }: LoadedVersion,
  instances: string,
  predictions: string,
): Json {
  const forms = task.tensors === undefined ? featureForms : tensorForms;
  const rows = task.exampleProblem === undefined ? toInstances(task) : [];
  return describeOperation({
    ...frame,
    isV1: true,
    description: [manifest.description, describeFeatures(manifest), forms].filter(Boolean).join('\n\n'),
    tags: [manifest.name],
    request: {
      schema: refTo(instances),
      ...(rows.length > 0 && { example: { instances: rows } }),
    },
    answer: refTo(predictions),
  });
}

/** The example as rows; empty if it has none. */
function toInstances({ example, tensors }: Task): readonly unknown[] {
  if (tensors === undefined) return [example];
  const { inputs } = example as { readonly inputs: Readonly<Record<string, unknown>> };
  const [first, ...others] = Object.entries(inputs);
  const rows = first?.[1];
  // A large tensor in an example is base64, without rows.
  if (!Array.isArray(rows)) return [];
  if (others.length === 0) return rows;
  return rows.map((_row, k) =>
    Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, (value as unknown[])[k]])),
  );
}

const featureForms =
  'A row may also be an array of its values, in the order of the features. If one row is not valid, the whole request is refused.';
const tensorForms =
  'Rows are stacked along the first axis of each input. A body `{"inputs": …}` already has that axis, and its answer is `{"outputs": …}`.';

/** The operation with the model or version as a parameter. For `listed`, see `describeGeneralPrediction`. */
export function describeGeneralV1(
  path: string,
  operationId: string,
  listed: Readonly<Record<string, readonly string[]>>,
  security: unknown,
): Json {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string);
  const isOfModel = names.length === 1;
  return describeOperation({
    operationId,
    summary: isOfModel
      ? 'Predict many rows with a model without its own path in this document, or an alias'
      : 'Predict many rows with a version, or the version of an alias',
    description:
      'A row depends on the model. `GET /models/{model}/versions/{version}`, with `latest` for the newest version, returns its schema as `request_schema`.',
    tags: ['KServe v1'],
    isV1: true,
    parameters: names.map((name) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: 'string', minLength: 1, ...(listed[name]?.length && { not: { enum: listed[name] } }) },
    })),
    request: { schema: { type: 'object', additionalProperties: true } },
    answer: { type: 'object', additionalProperties: true },
    codes: isOfModel ? [] : ['version_not_found'],
    security,
  });
}
