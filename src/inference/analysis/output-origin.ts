import type { AttributeValue, GraphNode, ModelGraph } from '../onnx/read-graph.js';

/** What the end of a graph says about one of its outputs. */
export interface Origin {
  readonly is:
    | 'label'
    | 'probabilities'
    /** Probabilities of several labels: each column has its own, and a row does not sum to one. */
    | 'independent'
    | 'logProbabilities'
    | 'scores'
    | 'linear'
    | 'regression'
    | 'unknown';
  /** The node that says so. */
  readonly node?: GraphNode;
  /** How many parts of one maker are joined: the two sides of a label, 1 - p and p. */
  readonly parts?: number;
}

/** Operators behind which the same values stand, in another form or scaled; of a quotient, only its first input. */
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
/** Operators between a sum over a row and what divides by it: zeros are kept away, the form is mended. */
const aroundSums = new Set(
  'Identity Cast Reshape Squeeze Unsqueeze Expand Add Max Clip Where Reciprocal'.split(' '),
);
const sums = new Set(['ReduceSum', 'ReduceL1']);
/** Operators that choose one class of a row. */
const choices = new Set(['ArgMax', 'ArgMin', 'TopK', ...classifiers]);
/** Operators that turn the place of a class into its name. ML.NET counts classes from one. */
const lookups = new Set(['ArrayFeatureExtractor', 'Add']);
const maxSteps = 10_000;
/** Each step of a branch is a call within a call, and the stack holds some thousands. */
const maxBranch = 500;
const maxLabels = 64;

type Producers = ReadonlyMap<string, GraphNode>;

/** Looks backwards from an output, through what only changes its form, for the operator that made its values. */
export function findOrigin(graph: ModelGraph, output: string): Origin {
  return trace(graph.producers, output, { budget: { left: maxSteps }, seen: new Set() });
}

/**
 * Whether the values of an output are the probabilities of several labels at once: as many columns of their own, and
 * no output that chooses one of them. `columns` are those of a row.
 */
export function holdsSeveralLabels(graph: ModelGraph, output: string, columns: number): boolean {
  const { is, parts = 1 } = findOrigin(graph, output);
  if (is !== 'independent' || columns <= parts) return false;
  const { producers } = graph;
  const labels = graph.outputs.filter(({ elementType = '' }) => /^u?int|^string$|^bool$/.test(elementType));
  return !labels.slice(0, maxLabels).some(({ name }) => choosesOne(producers, name));
}

/** Whether an output follows from an operator that chooses one class for each row. */
function choosesOne(producers: Producers, output: string): boolean {
  const waiting = [output];
  const seen = new Set(waiting);
  for (let step = 0; step < waiting.length && step < maxSteps; step += 1) {
    const value = waiting[step] as string;
    const node = producers.get(value);
    if (node === undefined) continue;
    const is = judge(node, value);
    if (choices.has(node.opType) && is !== 'probabilities' && is !== 'scores') return true;
    // Labels that are joined are several; what is a number or a threshold chooses none.
    if (node.opType === 'Concat' || (is !== 'unknown' && !lookups.has(node.opType))) continue;
    for (const input of node.inputs) {
      if (!seen.has(input)) waiting.push(input);
      seen.add(input);
    }
  }
  return false;
}

interface Walk {
  /** Shared by all branches: a graph may join its values again and again. */
  readonly budget: { left: number };
  /** The values of this branch. */
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
  // A softmax by hand, or shares of which the greatest gives the label.
  const isDistribution = isExponential(node, producers) || isChosenFrom(node, producers);
  return isDistribution ? { is: 'probabilities', node } : { is: 'unknown' };
}

/** Columns of several makers are of several labels; those of one are two sides of it, such as 1 - p and p. */
function joinOrigins(node: GraphNode, producers: Producers, walk: Walk): Origin {
  const parts = node.inputs.map((input) =>
    trace(producers, input, { budget: walk.budget, seen: new Set(walk.seen) }),
  );
  const known = parts.filter((it) => it.is !== 'unknown');
  const [first] = known;
  if (first === undefined) return { is: 'unknown' };
  const makers = new Set(known.map((it) => it.node));
  const areProbabilities = known.every((it) => it.is === 'probabilities' || it.is === 'independent');
  // Each column is a label: there are no sides to take off.
  if (areProbabilities && makers.size > 1) return { is: 'independent', node, parts: 1 };
  // A score and its opposite, side by side, are no logits: a softmax over them counts the score twice.
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

/** The second output of a classifier holds probabilities, or the scores of a machine that was trained without. */
function judgeScores(node: GraphNode): 'probabilities' | 'scores' {
  const transform = node.attributes.get('post_transform');
  const isPlain = transform?.kind !== 'string' || transform.value === 'NONE';
  if (!isPlain || node.opType === 'TreeEnsembleClassifier') return 'probabilities';
  return node.opType === 'SVMClassifier' && countOf(node.attributes.get('prob_a')) > 0
    ? 'probabilities'
    : 'scores';
}

/** Whether a node divides values by their own sum. */
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
  // What is divided may have been mended after the sum was taken.
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

/** An attribute's list; empty where it is none. */
export function listOf(value: AttributeValue | undefined): readonly (number | string)[] {
  return value !== undefined && 'read' in value ? value.read() : [];
}

/** How long an attribute's list is; 0 where it is none. */
export function countOf(value: AttributeValue | undefined): number {
  return value !== undefined && 'count' in value ? value.count() : 0;
}
