import type { ModelGraph } from './graph.js';

/** Operators of ONNX that give another output for the same input each time. */
const random = new Set([
  'Bernoulli',
  'Multinomial',
  'RandomNormal',
  'RandomNormalLike',
  'RandomUniform',
  'RandomUniformLike',
]);

/** The operator by which two runs on the same input may differ; undefined where there is none. */
export function findRandomness(graph: ModelGraph): string | undefined {
  const nodes = [...graph.nodes, ...graph.nestedNodes];
  return nodes.find((node) => node.domain === '' && random.has(node.opType))?.opType;
}
