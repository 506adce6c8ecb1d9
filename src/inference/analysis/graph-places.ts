import type { GraphNode, ModelGraph } from '../onnx/read-graph.js';

const forms = new Set('Identity Cast Reshape Squeeze Unsqueeze Flatten Transpose'.split(' '));
const classifiers = new Set(['LinearClassifier', 'SVMClassifier', 'TreeEnsembleClassifier']);
const maxSteps = 64;

/**
 * The classes of a label that holds their places (0, 1, …) instead of the classes; undefined for any other label.
 * - onnxruntime 1.30 returns places for a `TreeEnsembleClassifier` with two classes and weights for both, as CatBoost
 *   writes it (`_set_score_binary`).
 * - The operator has the classes 0, 1, …, and `names`, from the ZipMap beside it, are other numbers.
 */
export function findPlaceLabels(
  graph: ModelGraph,
  label: string,
  names: readonly (number | string)[] = [],
): readonly (number | string)[] | undefined {
  let value = label;
  for (let step = 0; step < maxSteps; step += 1) {
    const node = graph.producers.get(value);
    if (node !== undefined && classifiers.has(node.opType) && value === node.outputs[0])
      return givesPlaces(node) ? classesOf(node) : countsOnly(node, names) ? names : undefined;
    if (node === undefined || !forms.has(node.opType)) return undefined;
    value = node.inputs[0] ?? '';
  }
  return undefined;
}

/** Whether a label is the index of the largest or smallest column (`ArgMax`, `ArgMin`). */
export function countsColumns(graph: ModelGraph, label: string): boolean {
  let value = label;
  for (let step = 0; step < maxSteps; step += 1) {
    const node = graph.producers.get(value);
    if (node?.opType === 'ArgMax' || node?.opType === 'ArgMin') return true;
    if (node === undefined || !forms.has(node.opType)) return false;
    value = node.inputs[0] ?? '';
  }
  return false;
}

function givesPlaces(node: GraphNode): boolean {
  if (node.opType !== 'TreeEnsembleClassifier' || classesOf(node).length !== 2) return false;
  const ids = intsOf(node, 'class_ids');
  return ids.some((id) => id !== ids[0]);
}

function countsOnly(node: GraphNode, names: readonly (number | string)[]): boolean {
  const own = classesOf(node);
  const isCount = own.length > 0 && own.every((it, k) => it === k);
  return isCount && own.length === names.length && names.some((it, k) => typeof it === 'number' && it !== k);
}

function classesOf(node: GraphNode): readonly number[] {
  const classes = intsOf(node, 'classlabels_int64s');
  return classes.length > 0 ? classes : intsOf(node, 'classlabels_ints');
}

function intsOf(node: GraphNode, name: string): readonly number[] {
  const value = node.attributes.get(name);
  return value?.kind === 'ints' ? value.read() : [];
}
