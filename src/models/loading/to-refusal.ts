import { messageOf, RefusedError, ServiceError } from '../../errors.js';
import { adviseOnCrash, withAdvice } from '../../inference/engine/engine-advice.js';
import { EngineError } from '../../inference/engine/engine-error.js';
import { GraphError, type ModelGraph } from '../../inference/onnx/read-graph.js';
import { RunnerLostError } from '../../inference/runner/runner-process.js';
import { SandboxTimeoutError } from '../../inference/runner/sandbox.js';

/** Converts an error about the version to a `RefusedError` that clients may read. Returns any other error unchanged. */
export function toRefusal(error: unknown, graph: ModelGraph | undefined): unknown {
  const reason = messageOf(error);
  if (error instanceof GraphError) return new RefusedError(`model.onnx ${reason}`, { cause: error });
  if (error instanceof RunnerLostError || error instanceof SandboxTimeoutError) {
    const advice = adviseOnCrash(reason, graph?.opTypes);
    return new RefusedError(`the engine does not survive model.onnx: ${reason}${advice}`, { cause: error });
  }
  if (error instanceof EngineError) {
    return new RefusedError(`the engine refuses model.onnx: ${withAdvice(reason)}`, { cause: error });
  }
  if (error instanceof ServiceError)
    return new RefusedError(`the model cannot be used: ${reason}`, { cause: error });
  return error;
}
