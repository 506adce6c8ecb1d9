import type { GraphNode, ModelGraph } from '../onnx/read-graph.js';

/** Operators that look up elements by index, and the places of their index inputs. */
const indexInputs: Readonly<Record<string, readonly number[]>> = {
  Gather: [1],
  GatherElements: [1],
  GatherND: [1],
  ScatterElements: [1],
  ScatterND: [1],
  'ai.onnx.ml:ArrayFeatureExtractor': [1],
  'com.microsoft:EmbedLayerNormalization': [0, 1],
};
/** Operators that pass the values of their first input on. */
const passing = new Set([
  'Cast',
  'Expand',
  'Flatten',
  'Identity',
  'Reshape',
  'Squeeze',
  'Transpose',
  'Unsqueeze',
]);

/** An untrusted file may chain 100,000 of these operators, and look up by each of them. */
const maxChain = 32;

/** Maps each node that looks up by index to the one graph input with its indices. Holds none of the model's bytes. */
export function findLookups(graph: ModelGraph): ReadonlyMap<string, string> {
  const inputs = new Set(graph.inputs.map(({ name }) => name));
  const makers = new Map<string, GraphNode>();
  for (const node of graph.nodes) for (const output of node.outputs) makers.set(output, node);
  const sourceOf = (value: string): string | undefined => {
    let name = value;
    for (let steps = 0; steps < maxChain; steps += 1) {
      if (inputs.has(name)) return name;
      const maker = makers.get(name);
      if (maker === undefined || maker.domain !== '' || !passing.has(maker.opType)) return undefined;
      name = maker.inputs[0] ?? '';
    }
    return undefined;
  };
  const lookups = new Map<string, string>();
  for (const { name, opType, domain, inputs: given } of graph.nodes) {
    const places = indexInputs[domain === '' ? opType : `${domain}:${opType}`];
    const sources = new Set(
      places
        ?.map((place) => given[place] ?? '')
        .filter(Boolean)
        .map(sourceOf),
    );
    const [source] = sources;
    if (sources.size === 1 && source !== undefined && name !== '') lookups.set(name, source);
  }
  return lookups;
}
