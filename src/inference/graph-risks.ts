import type { GraphNode, ModelGraph } from './graph.js';

/** Operators that run other operators as often as data says. */
const controlFlow = new Set(['Loop', 'Scan', 'If', 'SequenceMap']);

/** Operators that make an output as large as an input's value says, and which of their inputs says it. */
const sizedBy: Readonly<Record<string, readonly number[]>> = {
  ConstantOfShape: [0],
  Expand: [1],
  Range: [0, 1, 2],
  Tile: [1],
  Resize: [2, 3],
  Upsample: [1],
  Pad: [1],
  OneHot: [1],
};

/**
 * Why a run of this graph may take any time or memory, in words: control flow, or a size that follows from the
 * value of an input. Undefined where neither is found. A size that follows from an input's shape is bounded by
 * what was sent, and is no risk.
 */
export function findRunRisk(graph: ModelGraph): string | undefined {
  const nodes = [...graph.nodes, ...graph.nestedNodes];
  const flow = nodes.find((node) => node.domain === '' && controlFlow.has(node.opType));
  if (flow !== undefined) return `the graph holds a ${flow.opType}`;
  const madeBy = new Map(
    graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)),
  );
  const inputs = new Set(graph.inputs.map(({ name }) => name));
  // Shared by all: what led to no input once leads to none later, and the whole graph is walked once.
  const seen = new Set<string>();
  const sized = graph.nodes.find((node) =>
    (sizedBy[node.domain === '' ? node.opType : ''] ?? []).some((index) => {
      const size = node.inputs[index];
      return size !== undefined && size !== '' && followsFromValue(size, madeBy, inputs, seen);
    }),
  );
  return sized && `the size of what ${sized.opType} makes follows from the value of an input`;
}

/** Whether a value can be traced back to a graph input otherwise than through its shape. */
function followsFromValue(
  start: string,
  madeBy: ReadonlyMap<string, GraphNode>,
  inputs: ReadonlySet<string>,
  seen: Set<string>,
): boolean {
  const open = [start];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (inputs.has(name)) return true;
    if (seen.has(name)) continue;
    seen.add(name);
    const node = madeBy.get(name);
    if (node !== undefined && node.opType !== 'Shape' && node.opType !== 'Size') open.push(...node.inputs);
  }
  return false;
}
