import type { GraphNode, ModelGraph } from './graph.js';

const forms = new Set('Identity Cast Reshape Squeeze Unsqueeze Flatten Transpose'.split(' '));
const maxSteps = 64;

/**
 * The two classes of a label that holds their places, 0 and 1, although its operator names others: onnxruntime 1.30
 * gives places for a `TreeEnsembleClassifier` with two whole-number classes and weights for both, as CatBoost writes
 * it (`_set_score_binary`). Undefined for every other label.
 */
export function findPlaceLabels(graph: ModelGraph, label: string): readonly number[] | undefined {
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  let value = label;
  for (let step = 0; step < maxSteps; step += 1) {
    const node = producers.get(value);
    if (node?.opType === 'TreeEnsembleClassifier' && value === node.outputs[0]) return placesOf(node);
    if (node === undefined || !forms.has(node.opType)) return undefined;
    value = node.inputs[0] ?? '';
  }
  return undefined;
}

function placesOf(node: GraphNode): readonly number[] | undefined {
  const ints = (name: string): readonly number[] => {
    const value = node.attributes.get(name);
    return value?.kind === 'ints' ? value.read() : [];
  };
  const classes = ints('classlabels_int64s');
  if (classes.length !== 2) return undefined;
  const ids = ints('class_ids');
  return ids.some((id) => id !== ids[0]) ? classes : undefined;
}
