import { type TSchema, Type } from '@sinclair/typebox';
import { type Problem, ServiceError } from '../errors.js';
import type { Executor } from '../inference/executor.js';
import type { ModelGraph } from '../inference/graph.js';
import {
  allocate,
  type Dimension,
  type ElementType,
  isIntegerType,
  sizeOf,
  type Tensor,
} from '../inference/tensor.js';
import { type NestedValue, readTensor, type TensorSpec, toNestedArrays } from '../inference/tensor-json.js';
import { describeValue, pointerToken } from '../inference/text.js';
import { tensorTypeOf } from './bind-inputs.js';
import { RefusedError } from './manifest.js';
import { nearestNames } from './nearest-names.js';
import type { Task } from './task.js';

const maxProblems = 100;

/**
 * The task `tensor`: the graph's inputs as JSON tensors, its outputs as nested arrays. Each request is a run of
 * its own, since nothing says that the first dimension of such a graph counts independent rows.
 */
export function createTensorTask(graph: ModelGraph, executor: Executor, maxBatchRows?: number): Task {
  const specs = graph.inputs.map(toSpec);
  const outputs = graph.outputs.filter((output) => isServable(output)).map(toSpec);
  if (outputs.length === 0) throw new RefusedError('no output of the graph is a tensor that can be served');
  const names = new Set(outputs.map((output) => output.name));
  const read = (body: unknown) => readBody(body, specs, names, maxBatchRows);
  return {
    requestSchema: describeRequest(specs, [...names]),
    answerSchema: Type.Object({ outputs: Type.Partial(describeTensors(outputs)) }),
    example: { inputs: Object.fromEntries(specs.map((spec) => [spec.name, exampleOf(spec)])) },
    async answer(body) {
      const { feeds, fetches } = read(body);
      const started = performance.now();
      const taken = await executor.run(feeds, fetches).catch((cause: unknown) => {
        throw cause instanceof ServiceError ? cause : new ServiceError('run_failed', { cause });
      });
      const runMs = performance.now() - started;
      const values: Record<string, NestedValue> = {};
      for (const name of fetches) values[name] = toNestedArrays(taken[name] as Tensor, name);
      const members = `"outputs":${JSON.stringify(values)}`;
      return { value: { outputs: values }, members, queueMs: 0, runMs, batchRows: 1, batchIndex: 0 };
    },
  };
}

function toSpec(value: ModelGraph['inputs'][number]): TensorSpec {
  return { name: value.name, type: tensorTypeOf(value), dims: value.shape };
}

function isServable(value: ModelGraph['outputs'][number]): boolean {
  try {
    tensorTypeOf(value);
    return true;
  } catch {
    return false;
  }
}

interface TensorRequest {
  readonly feeds: Record<string, Tensor>;
  readonly fetches: readonly string[];
}

function readBody(
  body: unknown,
  specs: readonly TensorSpec[],
  outputs: ReadonlySet<string>,
  maxBatchRows: number | undefined,
): TensorRequest {
  const problems: Problem[] = [];
  const add = (pointer: string, message: string) =>
    problems.length < maxProblems && problems.push({ pointer, message });
  if (!isObject(body)) {
    add('', `must be an object with "inputs", got ${body === undefined ? 'nothing' : describeValue(body)}`);
    throw refuse(problems);
  }
  for (const key of Object.keys(body).slice(0, maxProblems)) {
    if (key !== 'inputs' && key !== 'outputs')
      add(`/${pointerToken(key)}`, 'is not a key of this request; "inputs" and "outputs" are');
  }
  const feeds = readInputs(body['inputs'], specs, maxBatchRows, add);
  const fetches = readOutputs(body['outputs'], outputs, add);
  if (problems.length > 0) throw refuse(problems);
  return { feeds, fetches };
}

type Add = (pointer: string, message: string) => void;

function readInputs(
  inputs: unknown,
  specs: readonly TensorSpec[],
  maxBatchRows: number | undefined,
  add: Add,
): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  if (!isObject(inputs)) {
    add(
      '/inputs',
      inputs === undefined ? 'is required' : `must be an object of tensors, got ${describeValue(inputs)}`,
    );
    return feeds;
  }
  const symbols = new Map<string, number>();
  for (const spec of specs) {
    const pointer = `/inputs/${pointerToken(spec.name)}`;
    if (!Object.hasOwn(inputs, spec.name)) {
      add(pointer, 'is required');
      continue;
    }
    const result = readTensor(inputs[spec.name], spec, pointer, symbols);
    if (!('data' in result)) add(result.pointer, result.message);
    else if (maxBatchRows !== undefined && (result.dims[0] ?? 0) > maxBatchRows) {
      add(pointer, `must have at most ${maxBatchRows} rows, got ${result.dims[0]}`);
    } else feeds[spec.name] = result;
  }
  const known = specs.map((spec) => spec.name);
  for (const name of Object.keys(inputs).slice(0, known.length + maxProblems)) {
    if (known.includes(name)) continue;
    const nearest = nearestNames(name, known, 3);
    add(
      `/inputs/${pointerToken(name)}`,
      `is not an input${nearest.length ? `; did you mean ${nearest.join(' or ')}?` : ''}`,
    );
  }
  return feeds;
}

function readOutputs(wanted: unknown, outputs: ReadonlySet<string>, add: Add): readonly string[] {
  if (wanted === undefined) return [...outputs];
  if (!Array.isArray(wanted) || wanted.length === 0) {
    add('/outputs', 'must be an array of the names of outputs');
    return [];
  }
  const seen = new Set<unknown>();
  for (const [index, name] of wanted.entries()) {
    if (!outputs.has(name))
      add(`/outputs/${index}`, `is not an output; there are ${[...outputs].slice(0, 10).join(', ')}`);
    else if (seen.has(name)) add(`/outputs/${index}`, 'stands there already');
    seen.add(name);
    if (index > outputs.size + maxProblems) break;
  }
  return wanted as string[];
}

function refuse(problems: readonly Problem[]): ServiceError {
  const count = problems.length < maxProblems ? String(problems.length) : `at least ${problems.length}`;
  return new ServiceError('invalid_input', {
    detail: `${count} problem${problems.length === 1 ? '' : 's'}`,
    problems,
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A tensor of zeros, empty texts and falses, with 1 for each dimension that is not fixed. */
function exampleOf(spec: TensorSpec): NestedValue {
  const dims = (spec.dims ?? [1]).map((dim) => (typeof dim === 'number' ? dim : 1));
  return toNestedArrays({ type: spec.type, dims, data: allocate(spec.type, sizeOf(dims)) }, spec.name);
}

function describeRequest(specs: readonly TensorSpec[], outputs: readonly string[]): TSchema {
  return Type.Object(
    {
      inputs: describeTensors(specs),
      outputs: Type.Optional(
        Type.Array(Type.Unsafe<string>({ type: 'string', enum: outputs }), {
          uniqueItems: true,
          minItems: 1,
        }),
      ),
    },
    { additionalProperties: false },
  );
}

function describeTensors(specs: readonly TensorSpec[]) {
  return Type.Object(Object.fromEntries(specs.map((spec) => [spec.name, describeTensor(spec)])), {
    additionalProperties: false,
  });
}

function describeTensor({ type, dims }: TensorSpec): TSchema {
  const element = { type: jsonTypeOf(type) };
  const shape = dims === undefined ? 'of any shape' : `of shape [${dims.map(dimText).join(', ')}]`;
  const nested = (dims ?? []).reduceRight<Record<string, unknown>>(
    (items, dim) => ({
      type: 'array',
      items,
      ...(typeof dim === 'number' && { minItems: dim, maxItems: dim }),
    }),
    element,
  );
  const flat = (key: 'data' | 'base64', schema: Record<string, unknown>) => ({
    type: 'object',
    required: ['shape', key],
    properties: { shape: { type: 'array', items: { type: 'integer', minimum: 0 } }, [key]: schema },
    additionalProperties: false,
  });
  return Type.Unsafe({
    description: `A tensor of ${type} ${shape}`,
    anyOf: [
      dims === undefined ? { anyOf: [element, { type: 'array' }] } : nested,
      flat('data', { type: 'array', items: element }),
      flat('base64', { type: 'string', contentEncoding: 'base64' }),
    ],
  });
}

function dimText(dim: Dimension): string {
  return String(dim ?? '?');
}

function jsonTypeOf(type: ElementType): string {
  if (type === 'string') return 'string';
  if (type === 'bool') return 'boolean';
  return isIntegerType(type) ? 'integer' : 'number';
}
