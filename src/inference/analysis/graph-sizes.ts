import type { GraphNode } from '../onnx/read-graph.js';
import { toElementType } from '../onnx/value-type.js';
import type { ProvenOperator } from './operator-table.js';

/**
 * What decides the elements of a value. `constant`: the graph. `rows`: shapes, and more rows give no smaller elements.
 * `target`: as `rows`, with a -1 for a Reshape. `computed`: shapes in another way. `data`: elements of inputs, or chance.
 */
export type Level = 'constant' | 'rows' | 'target' | 'computed' | 'data';

type Levels = readonly (Level | undefined)[];
/** Returns the elements of a constant of few integers. */
type ReadConstant = (name: string) => readonly number[] | undefined;

/** Inputs that may set a size by the number of rows. Other inputs that set a size must be constants. */
const growing: Readonly<Record<string, readonly number[]>> = {
  AffineGrid: [1],
  CenterCropPad: [1],
  ConstantOfShape: [0],
  Expand: [1],
  OneHot: [1],
  Pad: [1],
  Range: [1],
  Reshape: [1],
  Resize: [2, 3],
  Slice: [2],
  Split: [1],
  Tile: [1],
  TopK: [1],
  Upsample: [1],
};

/** Operators whose output elements grow with their inputs, if the other inputs are constant and not negative. */
const monotone = new Set(
  'Add Cast Concat Expand Flatten Gather Identity Max Min Mul ReduceMax ReduceMin ReduceProd ReduceSum Reshape Slice Squeeze Sum Transpose Unsqueeze'.split(
    ' ',
  ),
);

const passing = new Set('Cast Concat Identity Reshape Squeeze Unsqueeze'.split(' '));

const random = new Set(
  'Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike'.split(' '),
);

/** Why the number of rows does not bound the size of an output; undefined if it does. */
export function findSizeRisk(
  node: GraphNode,
  { sizedBy = [] }: ProvenOperator,
  levels: Levels,
  read: ReadConstant,
): string | undefined {
  const { opType } = node;
  for (const place of sizedBy) {
    const level = levels[place] ?? 'constant';
    if (level === 'data') return `the output size of ${opType} depends on the value of an input`;
    const mayGrow = node.domain === '' && growing[opType]?.includes(place) === true;
    const isTarget = level === 'target' && opType === 'Reshape' && node.domain === '';
    if (level === 'computed' || (level === 'target' && !isTarget) || (level === 'rows' && !mayGrow))
      return uneven(opType);
  }
  if (opType === 'Slice' && !isSliceGrowing(node, levels, read)) return uneven(opType);
  const isRange = opType === 'Range' && levels[1] === 'rows';
  if (isRange && !read(node.inputs[2] ?? '')?.every((step) => step > 0)) return uneven(opType);
  return undefined;
}

const uneven = (opType: string) =>
  `the output size of ${opType} does not simply grow with the number of rows`;

export function followLevel(
  node: GraphNode,
  { sizedBy = [] }: ProvenOperator,
  levels: Levels,
  read: ReadConstant,
): Level {
  if (random.has(node.opType)) return 'data';
  if (node.domain === '' && (node.opType === 'Shape' || node.opType === 'Size')) {
    return levels[0] === 'constant' ? 'constant' : 'rows';
  }
  if (levels.includes('data')) return 'data';
  if (levels.includes('computed')) return 'computed';
  if (levels.includes('target'))
    return passing.has(node.opType) && node.domain === '' ? 'target' : 'computed';
  if (!levels.includes('rows')) return 'constant';
  // A list with an element per row is no shape: the rows would decide the number of dimensions.
  if (node.domain !== '' || sizedBy.some((place) => levels[place] === 'rows')) return 'computed';
  const { opType } = node;
  // An element of a table may be any number.
  if (opType === 'Gather' && levels[1] !== 'constant') return 'computed';
  // A shape with the -1 that exporters write for "the rest": only a Reshape may use it.
  if (opType === 'Concat' && !areConstants(node, levels, read, 0)) return 'target';
  if (opType === 'Div') return levels[0] === 'rows' && isAtLeast(node, levels, read, 1) ? 'rows' : 'computed';
  if (opType === 'Cast' && !holdsCounts(node)) return 'computed';
  return monotone.has(opType) && isAtLeast(node, levels, read, 0) ? 'rows' : 'computed';
}

/** Whether the type keeps a number of rows intact: int8 would turn 128 into -128. */
function holdsCounts({ attributes }: GraphNode): boolean {
  const to = attributes.get('to');
  return to?.kind === 'int' && ['int32', 'int64', 'float32', 'float64'].includes(toElementType(to.value));
}

/** Whether no constant factor or summand is below `lowest`. Indices and lists of sizes may be. */
function isAtLeast(node: GraphNode, levels: Levels, read: ReadConstant, lowest: number): boolean {
  return !['Mul', 'Add', 'Sum', 'Div'].includes(node.opType) || areConstants(node, levels, read, lowest);
}

function areConstants(node: GraphNode, levels: Levels, read: ReadConstant, lowest: number): boolean {
  return node.inputs.every(
    (name, place) => levels[place] !== 'constant' || read(name)?.every((it) => it >= lowest) === true,
  );
}

/** Exporters write this, or more, for "to the end". */
const end = 2 ** 31 - 1;

/**
 * Whether more rows never give a smaller slice. They may with a start counted from the end and an end counted from the
 * beginning, or with a slice that runs backwards, unless it reverses the whole axis.
 */
function isSliceGrowing(node: GraphNode, levels: Levels, read: ReadConstant): boolean {
  const listed = (name: string, place: number): readonly number[] | undefined => {
    const attribute = node.attributes.get(name);
    if (attribute !== undefined) return attribute.kind === 'ints' ? attribute.read() : undefined;
    return read(node.inputs[place] ?? '');
  };
  const starts = listed('starts', 1);
  const ends = listed('ends', 2);
  const hasSteps = (node.inputs[4] ?? '') !== '';
  const steps = hasSteps ? read(node.inputs[4] ?? '') : [];
  if (starts === undefined || steps === undefined) return false;
  if (levels[2] === 'rows') return starts.every((it) => it >= 0) && steps.every((it) => it > 0);
  if (ends === undefined) return false;
  return starts.every((from, at) => {
    const to = ends[at] ?? end;
    if ((steps[at] ?? 1) > 0) return from >= 0 || to < 0 || to >= end;
    return (from === -1 || from >= end) && to <= -end;
  });
}
