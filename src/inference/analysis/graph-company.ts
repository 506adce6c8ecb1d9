import { readConstant } from '../onnx/graph-types.js';
import type { GraphNode, ModelGraph } from '../onnx/read-graph.js';

/** Operators that work along axes, which an attribute or the second input lists: all of them where none is given. */
const reductions = /^Reduce|^MeanVarianceNormalization$/;
/** Operators that work along one axis, by default the last, or the first for the two sums. */
const alongAxis = new Map([
  ['Softmax', -1],
  ['LogSoftmax', -1],
  ['Hardmax', -1],
  ['LpNormalization', -1],
  ['TopK', -1],
  ['ArgMax', 0],
  ['ArgMin', 0],
  ['CumSum', undefined],
]);
/** Behind these the first dimension may be another than that of the rows. */
const movers = new Set(
  'Transpose Reshape Flatten Squeeze Unsqueeze Gather GatherND GatherElements Shape Size Einsum'.split(' '),
);
/** Of these only the first input gives its rows to the output. */
const products = new Set(['MatMul', 'Gemm', 'Conv', 'Concat']);

/**
 * What in a graph makes the answer to a row depend on the other rows of its run, in words, with the way to export it
 * right. Undefined where nothing is known: runs of rows together show the rest.
 */
export function findSharedReason(graph: ModelGraph): string | undefined {
  const nodes = [...graph.nodes, ...graph.nestedNodes];
  const dynamic = nodes.find(({ opType }) => /^Dynamic(Quantize|.*Quant)/.test(opType));
  if (dynamic !== undefined) {
    return (
      `${dynamic.opType} scales each row by the largest value among all rows of its run: ` +
      'quantize statically (quantize_static with calibration data) to let rows share runs'
    );
  }
  if (nodes.some(({ opType, domain }) => opType === 'StringSplit' && domain === '')) {
    return (
      'StringSplit gives each row as many columns as the longest text of its run has: ' +
      'split texts where the request is made, to let rows share runs'
    );
  }
  const across = findAcrossRows(graph);
  return (
    across &&
    `${across.opType} works along the first axis, which is that of the rows: ` +
      'export it with an axis of a row, or with what it computes as a constant, to let rows share runs'
  );
}

/** A node that works along the first axis of values whose first axis is surely that of the rows. */
function findAcrossRows(graph: ModelGraph): GraphNode | undefined {
  const rows = new Set(
    graph.inputs.filter(({ shape }) => shape !== undefined && shape.length > 0).map(({ name }) => name),
  );
  for (const node of graph.nodes) {
    const takesRows = rows.has(node.inputs[0] ?? '');
    if (takesRows && worksAcross(node, graph)) return node;
    if (
      !keepsRows(node) ||
      !(takesRows || (!products.has(node.opType) && node.inputs.some((it) => rows.has(it))))
    )
      continue;
    for (const output of node.outputs) rows.add(output);
  }
  return undefined;
}

/** Whether the rows of an output are those of the input. */
function keepsRows({ opType, domain, attributes }: GraphNode): boolean {
  const transposed = attributes.get('transA');
  return domain !== '' || (!movers.has(opType) && !(transposed?.kind === 'int' && transposed.value !== 0));
}

function worksAcross(node: GraphNode, graph: ModelGraph): boolean {
  const { opType, domain } = node;
  if (domain !== '') return false;
  if (reductions.test(opType)) {
    const axes = listAxes(node, graph);
    return axes !== undefined && (axes.length === 0 ? !isNothingByDefault(node) : axes.includes(0));
  }
  if (!alongAxis.has(opType)) return false;
  if (opType === 'CumSum') return readConstant(node.inputs[1] ?? '', graph)?.[0] === 0;
  // Before opset 13 a softmax took all axes from this one on as one.
  const opset = graph.opsets.find((it) => it.domain === '')?.version ?? 1;
  const fallback = opset < 13 && /oftmax|Hardmax/.test(opType) ? 1 : alongAxis.get(opType);
  return (readInt(node, 'axis') ?? fallback) === 0;
}

/** The axes of a reduction: empty for all of them, undefined where they are not known. */
function listAxes(node: GraphNode, graph: ModelGraph): readonly number[] | undefined {
  const attribute = node.attributes.get('axes');
  if (attribute?.kind === 'ints') return attribute.read();
  if (node.opType === 'MeanVarianceNormalization') return [0, 2, 3];
  const given = node.inputs[1] ?? '';
  return given === '' ? [] : readConstant(given, graph);
}

function isNothingByDefault(node: GraphNode): boolean {
  return readInt(node, 'noop_with_empty_axes') === 1;
}

function readInt({ attributes }: GraphNode, name: string): number | undefined {
  const value = attributes.get(name);
  return value?.kind === 'int' ? value.value : undefined;
}
