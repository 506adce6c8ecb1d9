import type { GraphNode, ModelGraph } from '../onnx/read-graph.js';

/** Exporters write nodes in order: one pass is enough. After this many passes, the remaining nodes keep their order. */
const maxPasses = 20;

/** Returns the nodes in topological order, as the engine orders them itself. */
export function nodesInOrder(graph: ModelGraph, given: ReadonlyMap<string, unknown>): readonly GraphNode[] {
  const known = new Set(given.keys());
  const ordered: GraphNode[] = [];
  let waiting = graph.nodes;
  for (let pass = 0; pass < maxPasses && waiting.length > 0; pass += 1) {
    const left: GraphNode[] = [];
    for (const node of waiting) {
      if (node.inputs.every((name) => name === '' || known.has(name))) {
        ordered.push(node);
        for (const name of node.outputs) known.add(name);
      } else left.push(node);
    }
    waiting = left;
  }
  return [...ordered, ...waiting];
}

/** Names a dimension, other than the first, that a request may choose; undefined if all are fixed. */
export function findFreeDimension({ inputs }: ModelGraph): string | undefined {
  for (const { name, shape } of inputs) {
    if (shape === undefined) return `the number of dimensions of the input ${name} is free`;
    const axis = shape.findIndex((dim, place) => place > 0 && typeof dim !== 'number');
    if (axis > 0) return `the dimension ${axis} of the input ${name} is free: only the first one may be`;
  }
  return undefined;
}
