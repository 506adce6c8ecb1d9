import { readConstant } from '../onnx/graph-types.js';
import type { GraphNode, ModelGraph } from '../onnx/read-graph.js';
import type { KnownValues } from './graph-judge.js';

/** Limit on copies of a text in a run. A text may be as long as a body, 8 MiB, and each copy then takes 1 to 3 ms. */
const maxCopies = 24;

/** Operators that pick elements by index, perhaps twice. */
const picking: Readonly<Record<string, string>> = { Gather: 'places', ArrayFeatureExtractor: 'places' };
const repeating = new Set(
  'CenterCropPad Expand GatherElements GatherND OneHot Pad Resize ScatterElements ScatterND Scatter Tile Upsample Where'.split(
    ' ',
  ),
);

/** Why a text of a request may be copied too often; undefined if it may not. */
export function findTextRisk(
  graph: ModelGraph,
  nodes: readonly GraphNode[],
  values: KnownValues,
): string | undefined {
  const isText = (name: string) => values.get(name)?.type === 'string' && values.get(name)?.level === 'data';
  const handlers = nodes.filter(({ inputs, outputs }) => inputs.some(isText) && outputs.some(isText));
  for (const node of handlers) {
    if (repeating.has(node.opType)) return `${node.opType} may repeat a text of any length`;
    if (node.opType in picking && !isText(node.inputs[1] ?? '') && !arePlacesDistinct(node, graph)) {
      return `${node.opType} may repeat a text of any length`;
    }
  }
  const tooMany = graph.inputs.some(
    ({ name }) => isText(name) && countCopies(name, handlers, graph) > maxCopies,
  );
  return tooMany ? `the graph copies a text of any length over ${maxCopies} times` : undefined;
}

function arePlacesDistinct(node: GraphNode, graph: ModelGraph): boolean {
  const places = readConstant(node.inputs[1] ?? '', graph);
  return places !== undefined && new Set(places).size === places.length;
}

/** Upper bound of the copies of an element of one input within a run. */
function countCopies(input: string, handlers: readonly GraphNode[], graph: ModelGraph): number {
  const copies = new Map([[input, 1]]);
  const picked = new Map<string, number>();
  let total = 0;
  for (const node of handlers) {
    const taken = node.inputs.reduce((sum, name) => sum + (copies.get(name) ?? 0), 0);
    if (taken === 0) continue;
    for (const name of node.outputs) copies.set(name, (copies.get(name) ?? 0) + taken);
    const places = node.opType in picking ? readConstant(node.inputs[1] ?? '', graph) : undefined;
    if (places === undefined) {
      total += taken;
      continue;
    }
    // Different columns, picked one by one, count as one copy together.
    const before = places.map((place) => picked.get(`${node.inputs[0]} ${place}`) ?? 0);
    const most = Math.max(0, ...before);
    places.forEach((place, at) => {
      picked.set(`${node.inputs[0]} ${place}`, (before[at] ?? 0) + 1);
    });
    total += most === 0 && picked.has(`${node.inputs[0]} any`) ? 0 : taken;
    picked.set(`${node.inputs[0]} any`, 1);
  }
  return total;
}
