import { type TSchema, Type } from '@sinclair/typebox';
import { RefusedError, RowError, ServiceError } from '../../errors.js';
import { findLookups } from '../../inference/analysis/graph-lookups.js';
import type { Batcher } from '../../inference/batching/batcher.js';
import type { CallContext } from '../../inference/batching/call-context.js';
import type { RowOutput } from '../../inference/batching/pending-row.js';
import { RunEndedError } from '../../inference/engine/executor.js';
import type { ModelGraph } from '../../inference/onnx/read-graph.js';
import type { TensorSpec } from '../../inference/tensors/json-read-element.js';
import { type NestedValue, toJsonText, toNestedArrays } from '../../inference/tensors/json-write.js';
import {
  allocate,
  bytesOf,
  isIntegerType,
  sizeOf,
  type Tensor,
  type Tensors,
} from '../../inference/tensors/tensor.js';
import { checkInputSize, tensorTypeOf } from '../binding/bind-inputs.js';
import { unservable } from '../binding/graph-outputs.js';
import { hashTensors } from '../tasks/request-hash.js';
import type { Answer, AnswerValue, Task } from '../tasks/task.js';
import { explainRefusal, type Ids, pointerTo } from '../tasks/value-refusal.js';
import { toTensorKey } from './tensor-key.js';
import { readTensorRequest } from './tensor-request.js';
import { countRows, shapesOf } from './tensor-rows.js';
import { runWhole } from './tensor-run.js';
import {
  describeAsExample,
  describeForms,
  describeOutput,
  describeTensorRequest,
  describeTensors,
  isShownAsBytes,
} from './tensor-schema.js';

/** What goes into the graph, and the outputs to fetch. */
export interface TensorRun {
  readonly feeds: Tensors;
  readonly fetches: readonly string[];
}

export interface PackedTensor {
  readonly shape: readonly number[];
  readonly base64: string;
}

export interface TensorCodec {
  readonly inputs: readonly TensorSpec[];
  /** The served outputs, in the order of an answer. */
  readonly outputs: readonly TensorSpec[];
  /** Throws `invalid_input` with every problem. */
  read(body: unknown): TensorRun;
  readonly example: { readonly inputs: Readonly<Record<string, NestedValue | PackedTensor>> };
  readonly requestSchema: TSchema;
  readonly documentSchema: TSchema;
  readonly answerSchema: TSchema;
  /** Turns an error of a run into `invalid_input` if the request caused it, or returns it unchanged. */
  explain(error: unknown, run: TensorRun): unknown;
}

/** `emptyAxes`: input → the axes along which a request may have no elements. */
export function createTensorCodec(
  graph: ModelGraph,
  maxBatchRows?: number,
  emptyAxes?: ReadonlyMap<string, ReadonlySet<number>>,
): TensorCodec {
  const specs = graph.inputs.map((input) => ({ ...toSpec(input), emptyAxes: emptyAxes?.get(input.name) }));
  for (const [k, input] of graph.inputs.entries()) checkInputSize(input, (specs[k] as TensorSpec).type);
  const outputs = graph.outputs.filter((output) => isServable(output)).map(toSpec);
  const unserved = graph.outputs.filter((output) => !isServable(output));
  if (outputs.length === 0) {
    const [first] = unserved;
    const why = first && `: ${first.name} ${unservable(first) ?? 'cannot be served'}`;
    throw new RefusedError(`no output of the graph is a tensor that can be served${why ?? ''}`);
  }
  const names = new Set(outputs.map((output) => output.name));
  const asked = {
    served: names,
    unserved: new Map(unserved.map((output) => [output.name, unservable(output) ?? 'cannot be served'])),
  };
  const lookups = findLookups(graph);
  return {
    inputs: specs,
    outputs,
    explain: (error, { feeds }) =>
      explainRefusal(
        error,
        () => listIds(feeds),
        (node) => lookups.get(node),
      ),
    read: (body) => readTensorRequest(body, specs, asked, maxBatchRows),
    example: { inputs: Object.fromEntries(specs.map((spec) => [spec.name, exampleOf(spec)])) },
    requestSchema: describeTensorRequest(specs, [...names], (spec) => describeForms(spec, maxBatchRows)),
    documentSchema: describeTensorRequest(specs, [...names], (spec) => describeAsExample(spec, maxBatchRows)),
    answerSchema: Type.Object({ outputs: Type.Partial(describeTensors(outputs, describeOutput)) }),
  };
}

/**
 * The task `tensor`: JSON tensors in, nested arrays out. With `maxRunRows`, the rows must be independent: the batcher
 * gathers requests into runs of at most that many rows, and a larger request is cut into several runs. Without it, each
 * request is a run of its own.
 */
export function createTensorTask(
  form: TensorCodec,
  batcher: Batcher<TensorRun>,
  maxRunRows: number | undefined,
): Task {
  const { read, explain, example, requestSchema, documentSchema, answerSchema } = form;
  const answer = async (run: TensorRun, call: CallContext): Promise<Answer> => {
    batcher.admit(call, maxRunRows && countRows(run));
    let share: RowOutput;
    try {
      share =
        maxRunRows === undefined
          ? await batcher.run(run, call)
          : await runWhole(batcher, run, maxRunRows, call);
    } catch (error) {
      throw explain(error, run);
    }
    const texts: string[] = [];
    for (const name of run.fetches) {
      texts.push(`${JSON.stringify(name)}:${await toJsonText(share.outputs[name] as Tensor, name)}`);
    }
    const fieldsJson = `"outputs":{${texts.join(',')}}`;
    return {
      // Few callers read the value, and it may be large.
      get value() {
        return JSON.parse(`{${fieldsJson}}`) as AnswerValue;
      },
      fieldsJson,
      shapes: shapesOf(share.outputs, run.fetches),
      timing: share.timing,
    };
  };
  return {
    requestSchema,
    documentSchema,
    answerSchema,
    example,
    tensors: { inputs: form.inputs, outputs: form.outputs },
    // An object with `inputs` and `outputs`, each input as an object of two members, and any number of elements.
    bodyBounds: { names: 4 + 4 * form.inputs.length, items: Number.POSITIVE_INFINITY },
    answerAll: (requests, call) =>
      Promise.all(
        requests.map((request, row) =>
          request.answer(call).catch((error: unknown) => {
            throw new RowError(row, error);
          }),
        ),
      ),
    answerEach: (requests, call) =>
      Promise.all(requests.map((request) => request.answer(call).catch(toRowFailure))),
    check(body) {
      const run = read(body);
      return {
        cacheKey: () => toTensorKey(run),
        hash: () => hashTensors(run.feeds),
        answer: (call) => answer(run, call),
      };
    },
  };
}

/** Returns a failure that concerns this request alone, such as the end of the process in its run. Throws any other. */
function toRowFailure(error: unknown): ServiceError {
  if (!(error instanceof ServiceError)) throw error;
  const isOfRequest = error.status < 500 && error.code !== 'client_closed';
  const isOwn = isOfRequest || error.code === 'run_failed' || error.cause instanceof RunEndedError;
  if (isOwn) return error;
  throw error;
}

function listIds(feeds: Tensors): readonly Ids[] {
  return Object.entries(feeds).flatMap(([name, { type, dims, data }]) => {
    if (!isIntegerType(type)) return [];
    const placeOf = (index: number) => ` at [${toPlace(index, dims).join(', ')}]`;
    return [
      { name, pointer: pointerTo('inputs', name), values: data as ArrayLike<number | bigint>, placeOf },
    ];
  });
}

function toPlace(index: number, dims: readonly number[]): readonly number[] {
  return dims.map((dim, axis) => Math.floor(index / sizeOf(dims.slice(axis + 1))) % dim);
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

/** A tensor of zeros, empty texts or falses, with 1 for each open dimension; in base64 if it is large. */
function exampleOf(spec: TensorSpec): NestedValue | PackedTensor {
  const { name, type, dims: declared = [1] } = spec;
  const dims = declared.map((dim) => (typeof dim === 'number' ? dim : 1));
  const size = sizeOf(dims);
  if (isShownAsBytes(spec)) {
    return { shape: dims, base64: Buffer.alloc(size * (bytesOf(type) ?? 0)).toString('base64') };
  }
  return toNestedArrays({ type, dims, data: allocate(type, size) }, name);
}
