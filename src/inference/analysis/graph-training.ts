import { readConstant } from '../onnx/graph-types.js';
import type { GraphNode, ModelGraph } from '../onnx/read-graph.js';

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
  return allNodes(graph).find((node) => node.domain === '' && random.has(node.opType))?.opType;
}

/**
 * The operator that a graph runs in training mode, as far as its attributes and constants say so. BatchNormalization then goes by the
 * mean and variance of the run itself, and the engine keeps them for the runs to come (onnxruntime 1.30): the answer to
 * a row changes with every row that was asked before. Undefined where there is none.
 */
export function findTrainingMode(graph: ModelGraph): string | undefined {
  const opset = graph.opsets.find(({ domain }) => domain === '')?.version ?? 1;
  return allNodes(graph).find((node) => node.domain === '' && isTraining(node, opset, graph))?.opType;
}

/** Whether a graph holds a Dropout, whose training mode may be an input: runs of the same row show it. */
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
  // Before opset 14 further outputs, those of training, were what asked for it.
  return opset >= 14 ? read('training_mode') !== 0 : outputs.slice(1).some((name) => name !== '');
}

function allNodes(graph: ModelGraph): readonly GraphNode[] {
  return [...graph.nodes, ...graph.nestedNodes];
}
