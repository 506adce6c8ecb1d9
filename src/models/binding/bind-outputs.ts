import type { ModelGraph } from '../../inference/onnx/read-graph.js';
import type { Manifest } from '../manifest/manifest.js';
import { bindClassification } from './bind-classification.js';
import { bindRegression } from './bind-regression.js';
import type { OutputBinding } from './output-binding.js';

/** Binds the outputs of a graph as the manifest says, else by type and shape. Throws `RefusedError`. */
export function bindOutputs(manifest: Manifest, graph: ModelGraph): OutputBinding {
  return manifest.task === 'regression'
    ? bindRegression(manifest, graph)
    : bindClassification(manifest, graph);
}
