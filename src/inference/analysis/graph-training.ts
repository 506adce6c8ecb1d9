import { readConstant } from '../onnx/graph-types.js';
import type { GraphNode, ModelGraph } from '../onnx/read-graph.js';

const random = new Set([
  'Bernoulli',
  'Multinomial',
  'RandomNormal',
  'RandomNormalLike',
  'RandomUniform',
  'RandomUniformLike',
]);

/** The operator through which two runs on equal input may differ, if there is one. */
export function findRandomness(graph: ModelGraph): string | undefined {
  return allNodes(graph).find((node) => node.domain === '' && random.has(node.opType))?.opType;
}

/**
 * The operator that runs in training mode, as far as attributes and constants show. BatchNormalization then uses the
 * mean and variance of the run, and the engine keeps them for later runs (onnxruntime 1.30): earlier rows change the
 * answers to later ones.
 */
export function findTrainingMode(graph: ModelGraph): string | undefined {
  const opset = graph.opsets.find(({ domain }) => domain === '')?.version ?? 1;
  return allNodes(graph).find((node) => node.domain === '' && isTraining(node, opset, graph))?.opType;
}

/** The training mode of a Dropout may be an input. Then only repeated runs of one row show it. */
export function hasDropout(graph: ModelGraph): boolean {
  return allNodes(graph).some(({ domain, opType }) => domain === '' && opType === 'Dropout');
}

function isTraining(
  { opType, inputs, outputs, attributes }: GraphNode,
  opset: number,
  graph: ModelGraph,
): boolean {
  const read = (name: string): number => {
    const value = attributes.get(name);
    return value?.kind === 'int' ? value.value : 0;
  };
  if (opType === 'Dropout') {
    if (opset < 7) return read('is_test') === 0;
    const mode = readConstant(inputs[2] ?? '', graph);
    return opset >= 12 && mode !== undefined && mode[0] !== 0;
  }
  if (opType !== 'BatchNormalization') return false;
  // Before opset 14, further outputs requested the training mode.
  return opset >= 14 ? read('training_mode') !== 0 : outputs.slice(1).some((name) => name !== '');
}

function allNodes(graph: ModelGraph): readonly GraphNode[] {
  return [...graph.nodes, ...graph.nestedNodes];
}
