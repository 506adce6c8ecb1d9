import { readConstant } from '../onnx/graph-types.js';
import type { GraphNode, ModelGraph } from '../onnx/read-graph.js';

/** Operators along the axes of an attribute or of the second input, by default along all axes. */
const reductions = /^Reduce|^MeanVarianceNormalization$/;
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
/** After these operators, the first dimension may no longer be that of the rows. */
const movers = new Set(
  'Transpose Reshape Flatten Squeeze Unsqueeze Gather GatherND GatherElements Shape Size Einsum'.split(' '),
);
/** Only the first input of these operators passes its rows to the output. */
const products = new Set(['MatMul', 'Gemm', 'Conv', 'Concat']);

/** Why the answer to a row depends on other rows of its run, with advice. Trial runs of several rows find other cases. */
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
      'split texts in the client to let rows share runs'
    );
  }
  const across = findAcrossRows(graph);
  return (
    across &&
    `${across.opType} works along the first axis, the axis of the rows: ` +
      'export it with another axis, or with its result as a constant, to let rows share runs'
  );
}

/** Finds a node that works along the axis of the rows, if the first axis of its input is surely that axis. */
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
  // Before opset 13, a softmax merged all axes from this one on.
  const opset = graph.opsets.find((it) => it.domain === '')?.version ?? 1;
  const fallback = opset < 13 && /oftmax|Hardmax/.test(opType) ? 1 : alongAxis.get(opType);
  return (readInt(node, 'axis') ?? fallback) === 0;
}

/** Returns the axes of a reduction: empty for all of them, undefined if unknown. */
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
