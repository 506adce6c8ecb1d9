import { dirname } from 'node:path';
import type { Tensor as EngineTensor } from 'onnxruntime-node';
// The public `create` and `run` are these calls behind a `setImmediate` and a promise: they block all the same,
// and cost one more turn of the loop for each run (onnxruntime-node 1.30.0, dist/backend.js).
import { binding, initOrt } from 'onnxruntime-node/dist/binding.js';
import { elementTypes, type Tensor, type TensorData, type Tensors } from '../tensors/tensor.js';
import { toEngineError, toRunError } from './engine-error.js';

// Read by the engine when its environment is made, before the first session: without it, 1.29 and newer
// report usage over the network and write to the home folder.
process.env['ORT_DISABLE_TELEMETRY'] = '1';

/** One model in the engine. `run` and `openSession` block the thread that calls them. */
export interface Session {
  /** Runs the graph on exactly its inputs and gives the named outputs. Throws `EngineError`. */
  run(feeds: Tensors, fetches: readonly string[]): Tensors;
  /** Gives the memory back. No run may follow. */
  release(): void;
}

/**
 * Opens a model: its bytes, or a path where it has external weights (which are looked up beside it).
 * Blocks for the whole load. Throws `EngineError`.
 */
export function openSession(model: Uint8Array | string, intraOpNumThreads: number): Session {
  initOrt();
  const engine = new binding.InferenceSession();
  const options = {
    intraOpNumThreads,
    interOpNumThreads: 1,
    logSeverityLevel: 4 as const,
    // Threads that spin while they wait would take the processor from the server.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  };
  try {
    if (typeof model === 'string') engine.loadModel(model, options);
    // The engine's own types say ArrayBuffer; a file that was read is never shared memory.
    else engine.loadModel(model.buffer as ArrayBuffer, model.byteOffset, model.byteLength, options);
  } catch (cause) {
    throw toEngineError(cause, typeof model === 'string' ? dirname(model) : undefined);
  }

  return {
    run(feeds, fetches) {
      const given: Record<string, EngineTensor> = {};
      for (const name in feeds) {
        const { type, dims, data } = feeds[name] as Tensor;
        // The binding reads these four members and no more. The engine's own Tensor class would turn the bits of a
        // float16 into a Float16Array where Node has one, which the binding cannot read (1.30.0 on Node 24).
        given[name] = { type, dims, data, location: 'cpu' } as unknown as EngineTensor;
      }
      const wanted: Record<string, null> = {};
      for (const name of fetches) wanted[name] = null;
      const taken = runEngine(engine, given, wanted);
      const outputs: Record<string, Tensor> = {};
      for (const name of fetches) outputs[name] = toTensor(taken[name] as EngineTensor);
      return outputs;
    },
    release: () => engine.dispose(),
  };
}

type Engine = InstanceType<typeof binding.InferenceSession>;

function runEngine(
  engine: Engine,
  feeds: Record<string, EngineTensor>,
  fetches: Record<string, null>,
): ReturnType<Engine['run']> {
  try {
    return engine.run(feeds, fetches, {});
  } catch (cause) {
    throw toRunError(cause);
  }
}

function toTensor(value: EngineTensor): Tensor {
  const type = elementTypes.find((known) => known === value.type);
  if (type === undefined) throw new TypeError(`the engine gave a tensor of type ${value.type}`);
  const data = value.data as TensorData;
  // Node 24 has Float16Array, and the engine uses it where it exists: the bits are the same.
  if (type === 'float16' && !(data instanceof Uint16Array)) {
    const view = data as Uint8Array;
    return { type, dims: value.dims, data: new Uint16Array(view.buffer, view.byteOffset, view.length) };
  }
  return { type, dims: value.dims, data };
}
