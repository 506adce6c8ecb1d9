import type { AttributeValue, GraphNode, ModelGraph } from '../onnx/read-graph.js';

export interface Origin {
  readonly is:
    | 'label'
    | 'probabilities'
    /** Probabilities of several labels, a column each: a row need not sum to one. */
    | 'independent'
    | 'logProbabilities'
    | 'scores'
    | 'linear'
    | 'regression'
    | 'unknown';
  readonly node?: GraphNode;
  /** Number of joined parts from one node, such as 1 - p and p for one label. */
  readonly parts?: number;
}

/** Operators that keep the values, in another form or scaled. */
const forms = new Set(
  'Identity Cast Reshape Squeeze Unsqueeze Flatten Transpose Dropout Clip ReduceMax Mul Div Sub Slice Gather Normalizer LabelEncoder'.split(
    ' ',
  ),
);
const firstOnly = new Set(
  'Cast Reshape Squeeze Unsqueeze Flatten Transpose Dropout Clip ReduceMax Div Slice Gather'.split(' '),
);
const classifiers = new Set(['LinearClassifier', 'SVMClassifier', 'TreeEnsembleClassifier']);
const regressors = new Set(['LinearRegressor', 'SVMRegressor', 'TreeEnsembleRegressor', 'TreeEnsemble']);
/** Operators between the sum over a row and the division by it, such as those that avoid zeros. */
const aroundSums = new Set(
  'Identity Cast Reshape Squeeze Unsqueeze Expand Add Max Clip Where Reciprocal'.split(' '),
);
const sums = new Set(['ReduceSum', 'ReduceL1']);
const choices = new Set(['ArgMax', 'ArgMin', 'TopK', ...classifiers]);
/** Operators that turn the index of a class into its name. ML.NET counts classes from one. */
const lookups = new Set(['ArrayFeatureExtractor', 'Add']);
const maxSteps = 10_000;
/** Each step of a branch is a nested call, and the stack holds some thousands. */
const maxBranch = 500;
const maxLabels = 64;

type Producers = ReadonlyMap<string, GraphNode>;

/** Searches backwards from an output for the operator that made its values. */
export function findOrigin(graph: ModelGraph, output: string): Origin {
  return trace(graph.producers, output, { budget: { left: maxSteps }, seen: new Set() });
}

/** Whether an output holds the probabilities of several labels at once, of which no other output chooses one. */
export function holdsSeveralLabels(graph: ModelGraph, output: string, columns: number): boolean {
  const { is, parts = 1 } = findOrigin(graph, output);
  if (is !== 'independent' || columns <= parts) return false;
  const { producers } = graph;
  const labels = graph.outputs.filter(({ elementType = '' }) => /^u?int|^string$|^bool$/.test(elementType));
  return !labels.slice(0, maxLabels).some(({ name }) => choosesOne(producers, name));
}

function choosesOne(producers: Producers, output: string): boolean {
  const waiting = [output];
  const seen = new Set(waiting);
  for (let step = 0; step < waiting.length && step < maxSteps; step += 1) {
    const value = waiting[step] as string;
    const node = producers.get(value);
    if (node === undefined) continue;
    const is = judge(node, value);
    if (choices.has(node.opType) && is !== 'probabilities' && is !== 'scores') return true;
    // Joined labels are several labels. A number or a threshold chooses no class.
    if (node.opType === 'Concat' || (is !== 'unknown' && !lookups.has(node.opType))) continue;
    for (const input of node.inputs) {
      if (!seen.has(input)) waiting.push(input);
      seen.add(input);
    }
  }
  return false;
}

interface Walk {
  /** Shared by all branches, since a graph may join its values again and again. */
  readonly budget: { left: number };
  readonly seen: Set<string>;
}

function trace(producers: Producers, value: string, walk: Walk): Origin {
  const node = producers.get(value);
  const isOver = walk.budget.left <= 0 || walk.seen.size >= maxBranch || walk.seen.has(value);
  if (node === undefined || isOver) return { is: 'unknown' };
  walk.budget.left -= 1;
  walk.seen.add(value);
  const is = judge(node, value);
  if (is !== 'unknown') return { is, node };
  if (node.opType === 'Concat') return joinOrigins(node, producers, walk);
  if (!forms.has(node.opType)) return { is: 'unknown' };
  const inputs = firstOnly.has(node.opType) ? node.inputs.slice(0, 1) : node.inputs;
  const found = inputs.map((input) => trace(producers, input, walk)).find((it) => it.is !== 'unknown');
  if (!sumsToOne(node, producers)) return found ?? { is: 'unknown' };
  if (found?.node !== undefined && found.is === 'independent')
    return { is: 'probabilities', node: found.node };
  if (found !== undefined && found.is !== 'linear') return found;
  // A softmax in single operators, or shares of which the largest gives the label.
  const isDistribution = isExponential(node, producers) || isChosenFrom(node, producers);
  return isDistribution ? { is: 'probabilities', node } : { is: 'unknown' };
}

/** Columns of several nodes are several labels. Columns of one node are sides of one label, such as 1 - p and p. */
function joinOrigins(node: GraphNode, producers: Producers, walk: Walk): Origin {
  const parts = node.inputs.map((input) =>
    trace(producers, input, { budget: walk.budget, seen: new Set(walk.seen) }),
  );
  const known = parts.filter((it) => it.is !== 'unknown');
  const [first] = known;
  if (first === undefined) return { is: 'unknown' };
  const makers = new Set(known.map((it) => it.node));
  const areProbabilities = known.every((it) => it.is === 'probabilities' || it.is === 'independent');
  if (areProbabilities && makers.size > 1) return { is: 'independent', node, parts: 1 };
  // A score and its opposite are no logits: a softmax over them would count the score twice.
  if (first.is === 'linear' && makers.size === 1 && node.inputs.length === 2)
    return { ...first, is: 'scores' };
  return first.is === 'independent' ? { ...first, parts: node.inputs.length * (first.parts ?? 1) } : first;
}

function judge(node: GraphNode, value: string): Origin['is'] {
  const { opType } = node;
  if (classifiers.has(opType)) return value === node.outputs[0] ? 'label' : judgeScores(node);
  if (regressors.has(opType)) return 'regression';
  switch (opType) {
    case 'ArgMax':
    case 'ArgMin':
    case 'ArrayFeatureExtractor':
    case 'Binarizer':
    case 'Greater':
    case 'GreaterOrEqual':
    case 'Less':
    case 'LessOrEqual':
      return 'label';
    case 'Softmax':
      return 'probabilities';
    case 'Sigmoid':
    case 'HardSigmoid':
      return 'independent';
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

/** The second output of a classifier: probabilities, or scores if the model was trained without probabilities. */
function judgeScores(node: GraphNode): 'probabilities' | 'scores' {
  const transform = node.attributes.get('post_transform');
  const isPlain = transform?.kind !== 'string' || transform.value === 'NONE';
  if (!isPlain || node.opType === 'TreeEnsembleClassifier') return 'probabilities';
  return node.opType === 'SVMClassifier' && countOf(node.attributes.get('prob_a')) > 0
    ? 'probabilities'
    : 'scores';
}

function sumsToOne(node: GraphNode, producers: Producers): boolean {
  if (node.opType === 'Normalizer') {
    const norm = node.attributes.get('norm');
    return norm?.kind === 'string' && norm.value === 'L1';
  }
  const [value = '', by = ''] = node.inputs;
  if (node.opType === 'Div') return isSumOf(by, value, producers);
  return node.opType === 'Mul' && (isSumOf(by, value, producers) || isSumOf(value, by, producers));
}

function isSumOf(start: string, value: string, producers: Producers): boolean {
  // The divided values may have been changed after the sum was taken.
  const made = producers.get(value);
  const origins = new Set([value, ...(made !== undefined && aroundSums.has(made.opType) ? made.inputs : [])]);
  const waiting = [start];
  for (let step = 0; step < waiting.length && step < 16; step += 1) {
    const node = producers.get(waiting[step] as string);
    if (node === undefined) continue;
    if (sums.has(node.opType) && origins.has(node.inputs[0] ?? '')) return true;
    if (aroundSums.has(node.opType)) waiting.push(...node.inputs);
  }
  return false;
}

function isExponential(node: GraphNode, producers: Producers): boolean {
  return node.inputs.some((input) => producers.get(input)?.opType === 'Exp');
}

function isChosenFrom(node: GraphNode, producers: Producers): boolean {
  const made = node.outputs[0] as string;
  return [...producers.values()].some((it) => it.opType === 'ArgMax' && it.inputs[0] === made);
}

export function listOf(value: AttributeValue | undefined): readonly (number | string)[] {
  return value !== undefined && 'read' in value ? value.read() : [];
}

export function countOf(value: AttributeValue | undefined): number {
  return value !== undefined && 'count' in value ? value.count() : 0;
}
