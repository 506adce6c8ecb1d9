import { RefusedError } from '../../errors.js';
import { findRandomness, findTrainingMode, hasDropout } from '../../inference/analysis/graph-training.js';
import type { ModelGraph } from '../../inference/onnx/read-graph.js';
import type { Manifest } from '../manifest/manifest.js';

/**
 * Refuses a graph that runs in training mode or draws random numbers, unless the manifest allows it: such an export is
 * nearly always a mistake, and equal rows get different answers. Throws `RefusedError`.
 */
export function refuseTraining({ allow = [] }: Manifest, graph: ModelGraph): void {
  const training = findTrainingMode(graph);
  if (training !== undefined && !allow.includes('training_mode')) {
    throw new RefusedError(
      `model.onnx: ${training} runs in training mode, so that the answer to a row depends on other rows: export the ` +
        'model in evaluation mode (model.eval() in PyTorch), or list "training_mode" in /allow',
    );
  }
  const random = findRandomness(graph);
  if (random !== undefined && !allow.includes('randomness')) {
    throw new RefusedError(
      `model.onnx: ${random} draws new numbers in each run, so that equal rows get different answers: export the model ` +
        'without it, or list "randomness" in /allow',
    );
  }
}

/** Refuses a version that has answered the same row differently, unless the manifest allows it. */
export function refuseUnrepeatable({ allow = [] }: Manifest, graph: ModelGraph): void {
  if (allow.length > 0) return;
  const cause = hasDropout(graph)
    ? 'its Dropout seems to run in training mode: export the model in evaluation mode (model.eval() in PyTorch), or list "training_mode" in /allow'
    : 'export the model without operators whose results change from run to run, or list "randomness" in /allow';
  throw new RefusedError(`model.onnx answers the same row differently each time: ${cause}`);
}
