import { Type } from '@sinclair/typebox';
import { ServiceError } from '../errors.js';
import type { Executor } from '../inference/executor.js';
import type { ModelGraph } from '../inference/graph.js';
import { allocate, sizeOf, type Tensor } from '../inference/tensor.js';
import type { TensorSpec } from '../inference/tensor-element.js';
import { type NestedValue, toNestedArrays } from '../inference/tensor-json.js';
import { tensorTypeOf } from './binding/bind-inputs.js';
import { RefusedError } from './manifest.js';
import type { Task } from './task.js';
import { readTensorRequest } from './tensor-request.js';
import { describeTensorRequest, describeTensors } from './tensor-schema.js';

/**
 * The task `tensor`: the graph's inputs as JSON tensors, its outputs as nested arrays. Each request is a run of
 * its own, since nothing says that the first dimension of such a graph counts independent rows.
 */
export function createTensorTask(graph: ModelGraph, executor: Executor, maxBatchRows?: number): Task {
  const specs = graph.inputs.map(toSpec);
  const outputs = graph.outputs.filter((output) => isServable(output)).map(toSpec);
  if (outputs.length === 0) throw new RefusedError('no output of the graph is a tensor that can be served');
  const names = new Set(outputs.map((output) => output.name));
  const read = (body: unknown) => readTensorRequest(body, specs, names, maxBatchRows);
  return {
    requestSchema: describeTensorRequest(specs, [...names]),
    answerSchema: Type.Object({ outputs: Type.Partial(describeTensors(outputs)) }),
    example: { inputs: Object.fromEntries(specs.map((spec) => [spec.name, exampleOf(spec)])) },
    async answer(body) {
      const { feeds, fetches } = read(body);
      const started = performance.now();
      const taken = await executor.run(feeds, fetches).catch((cause: unknown) => {
        throw cause instanceof ServiceError ? cause : new ServiceError('run_failed', { cause });
      });
      const runMs = performance.now() - started;
      const values = Object.fromEntries(
        fetches.map((name) => [name, toNestedArrays(taken[name] as Tensor, name)]),
      );
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

/** A tensor of zeros, empty texts and falses, with 1 for each dimension that is not fixed. */
function exampleOf(spec: TensorSpec): NestedValue {
  const dims = (spec.dims ?? [1]).map((dim) => (typeof dim === 'number' ? dim : 1));
  return toNestedArrays({ type: spec.type, dims, data: allocate(spec.type, sizeOf(dims)) }, spec.name);
}
