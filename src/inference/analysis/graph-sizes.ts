import type { GraphNode } from '../onnx/read-graph.js';
import { toElementType } from '../onnx/value-type.js';
import type { ProvenOperator } from './operator-table.js';

/**
 * What the elements of a value follow from: nothing that a request says (`constant`); shapes, in a way that grows with
 * the number of rows (`rows`), or with a -1 among them, for a Reshape (`target`); shapes in another way (`computed`); elements of an input, or chance (`data`).
 */
export type Level = 'constant' | 'rows' | 'target' | 'computed' | 'data';

type Levels = readonly (Level | undefined)[];
/** The elements of a constant, where they are few integers. */
type ReadConstant = (name: string) => readonly number[] | undefined;

/** The inputs that may set a size as the number of rows does. All others that set one must be constants. */
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

/** Operators whose elements grow with those of their inputs, if all else is constant and none is negative. */
const monotone = new Set(
  'Add Cast Concat Expand Flatten Gather Identity Max Min Mul ReduceMax ReduceMin ReduceProd ReduceSum Reshape Slice Squeeze Sum Transpose Unsqueeze'.split(
    ' ',
  ),
);

/** What hands its elements on as they are. */
const passing = new Set('Cast Concat Identity Reshape Squeeze Unsqueeze'.split(' '));

const random = new Set(
  'Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike'.split(' '),
);

/** Why the size of an output is not bounded by the number of rows; undefined where it is. */
export function findSizeRisk(
  node: GraphNode,
  { sizedBy = [] }: ProvenOperator,
  levels: Levels,
  read: ReadConstant,
): string | undefined {
  const { opType } = node;
  for (const place of sizedBy) {
    const level = levels[place] ?? 'constant';
    if (level === 'data') return `the size of what ${opType} makes follows from the value of an input`;
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
  `the size of what ${opType} makes does not simply grow with the number of rows`;

/** The level of what a node gives. */
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
  // A list as long as there are rows is no shape: the number of dimensions would follow from the rows.
  if (node.domain !== '' || sizedBy.some((place) => levels[place] === 'rows')) return 'computed';
  const { opType } = node;
  // A place in a table may hold any number.
  if (opType === 'Gather' && levels[1] !== 'constant') return 'computed';
  // A shape with the -1 that exporters write for "the rest": fit for a Reshape, and for nothing that multiplies.
  if (opType === 'Concat' && !areConstants(node, levels, read, 0)) return 'target';
  if (opType === 'Div') return levels[0] === 'rows' && isAtLeast(node, levels, read, 1) ? 'rows' : 'computed';
  if (opType === 'Cast' && !holdsCounts(node)) return 'computed';
  return monotone.has(opType) && isAtLeast(node, levels, read, 0) ? 'rows' : 'computed';
}

/** Whether a number of rows stays what it is: int8 would make -128 of 128. */
function holdsCounts({ attributes }: GraphNode): boolean {
  const to = attributes.get('to');
  return to?.kind === 'int' && ['int32', 'int64', 'float32', 'float64'].includes(toElementType(to.value));
}

/** Whether the factors and summands that are constants are not below a number. Places and lists of sizes may be. */
function isAtLeast(node: GraphNode, levels: Levels, read: ReadConstant, lowest: number): boolean {
  return !['Mul', 'Add', 'Sum', 'Div'].includes(node.opType) || areConstants(node, levels, read, lowest);
}

function areConstants(node: GraphNode, levels: Levels, read: ReadConstant, lowest: number): boolean {
  return node.inputs.every(
    (name, place) => levels[place] !== 'constant' || read(name)?.every((it) => it >= lowest) === true,
  );
}

/** As exporters write "to the end". */
const end = 2 ** 31 - 1;

/**
 * Whether more rows give no smaller slice: not so from a place counted from the end to one counted from the beginning,
 * nor backwards unless it is the whole that is turned round.
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
  // An end that is a number of rows.
  if (levels[2] === 'rows') return starts.every((it) => it >= 0) && steps.every((it) => it > 0);
  if (ends === undefined) return false;
  return starts.every((from, at) => {
    const to = ends[at] ?? end;
    if ((steps[at] ?? 1) > 0) return from >= 0 || to < 0 || to >= end;
    return (from === -1 || from >= end) && to <= -end;
  });
}
