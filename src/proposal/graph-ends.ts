import type { AttributeValue, GraphNode, ModelGraph } from '../inference/graph.js';

/** What the end of a graph says about one of its outputs. */
export interface Origin {
  readonly is:
    | 'label'
    | 'probabilities'
    | 'logProbabilities'
    | 'scores'
    | 'linear'
    | 'regression'
    | 'unknown';
  /** The node that says so. */
  readonly node?: GraphNode;
}

/** Operators behind which the same values stand, in another form or scaled. */
const forms = new Set(
  'Identity Cast Reshape Squeeze Unsqueeze Flatten Transpose Dropout Clip ReduceMax Mul Div Sub Concat Slice Gather Normalizer'.split(
    ' ',
  ),
);
const classifiers = new Set(['LinearClassifier', 'SVMClassifier', 'TreeEnsembleClassifier']);
const regressors = new Set(['LinearRegressor', 'SVMRegressor', 'TreeEnsembleRegressor', 'TreeEnsemble']);
const maxSteps = 64;

/** The nodes of a graph by the values that they make: made once, and not once an output. */
export type Producers = ReadonlyMap<string, GraphNode>;

/** Looks backwards from an output, through what only changes its form, for the operator that made its values. */
export function findOrigin(producers: Producers, output: string): Origin {
  const waiting = [output];
  const seen = new Set(waiting);
  for (let step = 0; step < waiting.length && step < maxSteps; step += 1) {
    const value = waiting[step] as string;
    const node = producers.get(value);
    if (node === undefined) continue;
    const is = judge(node, value);
    if (is !== 'unknown') return { is, node };
    if (!forms.has(node.opType)) continue;
    for (const input of node.inputs) {
      if (waiting.length >= maxSteps) break;
      if (!seen.has(input)) waiting.push(input);
      seen.add(input);
    }
  }
  return { is: 'unknown' };
}

export function producersOf(graph: ModelGraph): Producers {
  return new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
}

function judge(node: GraphNode, value: string): Origin['is'] {
  const { opType } = node;
  if (classifiers.has(opType)) return value === node.outputs[0] ? 'label' : judgeScores(node);
  if (regressors.has(opType)) return 'regression';
  switch (opType) {
    case 'ArgMax':
    case 'ArgMin':
    case 'ArrayFeatureExtractor':
      return 'label';
    case 'Softmax':
    case 'Sigmoid':
      return 'probabilities';
    case 'LogSoftmax':
      return 'logProbabilities';
    case 'Gemm':
    case 'MatMul':
    case 'Add':
      return 'linear';
    default:
      return 'unknown';
  }
}

/** The second output of a classifier holds probabilities, or the scores of a machine that was trained without. */
function judgeScores(node: GraphNode): 'probabilities' | 'scores' {
  const transform = node.attributes.get('post_transform');
  const isPlain = transform?.kind !== 'string' || transform.value === 'NONE';
  if (!isPlain || node.opType === 'TreeEnsembleClassifier') return 'probabilities';
  return node.opType === 'SVMClassifier' && countOf(node.attributes.get('prob_a')) > 0
    ? 'probabilities'
    : 'scores';
}

/** An attribute's list; empty where it is none. */
export function listOf(value: AttributeValue | undefined): readonly (number | string)[] {
  return value !== undefined && 'read' in value ? value.read() : [];
}

/** How long an attribute's list is; 0 where it is none. */
export function countOf(value: AttributeValue | undefined): number {
  return value !== undefined && 'count' in value ? value.count() : 0;
}
