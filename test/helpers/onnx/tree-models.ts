import {
  type Encoded,
  floats,
  initializer,
  int,
  ints,
  model,
  node,
  string,
  strings,
  tensor,
  tensorValue,
} from '../onnx.js';
import { createRandom } from './random.js';

/** The columns of a tree ensemble's `nodes_*` attributes. Ids count from 0 in each tree. */
export interface TreeNodes {
  readonly trees: readonly number[];
  readonly ids: readonly number[];
  readonly features: readonly number[];
  readonly thresholds: readonly number[];
  /** `BRANCH_LEQ` or `LEAF`. */
  readonly modes: readonly string[];
  readonly whenTrue: readonly number[];
  readonly whenFalse: readonly number[];
}

const nodeAttributes = (nodes: TreeNodes) => ({
  nodes_treeids: ints(nodes.trees),
  nodes_nodeids: ints(nodes.ids),
  nodes_featureids: ints(nodes.features),
  nodes_values: floats(nodes.thresholds),
  nodes_modes: strings(nodes.modes),
  nodes_truenodeids: ints(nodes.whenTrue),
  nodes_falsenodeids: ints(nodes.whenFalse),
});

/**
 * X [N, features] → label [N] int64 and probabilities [N, 2], from trees of the given nodes. As in scikit-learn's
 * converter for two classes, the weights are those of the second class and all class ids are 0: with weights for both
 * classes, the engine's label is always the second one.
 */
function treeClassifier(
  features: number,
  nodes: TreeNodes,
  leaves: {
    trees: readonly number[];
    ids: readonly number[];
    weights: readonly number[];
  },
): Uint8Array {
  const classify = node('ai.onnx.ml:TreeEnsembleClassifier', ['X'], ['label', 'probabilities'], {
    ...nodeAttributes(nodes),
    class_treeids: ints(leaves.trees),
    class_nodeids: ints(leaves.ids),
    class_ids: ints(leaves.trees.map(() => 0)),
    class_weights: floats(leaves.weights),
    classlabels_int64s: ints([0, 1]),
    post_transform: string('NONE'),
  });
  return model({
    inputs: [tensorValue('X', 'float32', ['N', features])],
    outputs: [tensorValue('label', 'int64', ['N']), tensorValue('probabilities', 'float32', ['N', 2])],
    nodes: [classify],
  });
}

/**
 * X [N, features] → label [N] and probabilities [N, 2]: full trees of the given depth, their splits and leaves
 * drawn with a fixed seed. The same arguments give the same bytes. 100 trees of depth 7 have 25,500 nodes.
 */
export function randomForest(trees: number, depth: number, features: number, seed = 1): Uint8Array {
  const draw = createRandom(seed);
  const size = 2 ** (depth + 1) - 1;
  const firstLeaf = 2 ** depth - 1;
  const nodes = {
    trees: [] as number[],
    ids: [] as number[],
    features: [] as number[],
    thresholds: [] as number[],
    modes: [] as string[],
    whenTrue: [] as number[],
    whenFalse: [] as number[],
  };
  const leaves = {
    trees: [] as number[],
    ids: [] as number[],
    weights: [] as number[],
  };
  for (let place = 0; place < trees * size; place++) {
    const tree = Math.floor(place / size);
    const id = place % size;
    const isLeaf = id >= firstLeaf;
    nodes.trees.push(tree);
    nodes.ids.push(id);
    nodes.features.push(isLeaf ? 0 : Math.floor(draw() * features));
    nodes.thresholds.push(isLeaf ? 0 : draw());
    nodes.modes.push(isLeaf ? 'LEAF' : 'BRANCH_LEQ');
    nodes.whenTrue.push(isLeaf ? 0 : 2 * id + 1);
    nodes.whenFalse.push(isLeaf ? 0 : 2 * id + 2);
    if (!isLeaf) continue;
    const share = draw();
    leaves.trees.push(tree);
    leaves.ids.push(id);
    leaves.weights.push(share / trees);
  }
  return treeClassifier(features, nodes, leaves);
}

/** X [N, 1] → variable [N, 1]: one tree. */
export function treeRegressor(
  nodes: TreeNodes,
  leaves: readonly number[],
  weights: readonly number[],
): Uint8Array {
  const regress = node('ai.onnx.ml:TreeEnsembleRegressor', ['X'], ['variable'], {
    ...nodeAttributes(nodes),
    target_treeids: ints(leaves.map(() => 0)),
    target_nodeids: ints(leaves),
    target_ids: ints(leaves.map(() => 0)),
    target_weights: floats(weights),
    n_targets: int(1),
  });
  return treeModel(regress);
}

const treeModel = (regress: Encoded<'node'>, mlOpset = 3) =>
  model({
    mlOpset,
    inputs: [tensorValue('X', 'float32', ['N', 1])],
    outputs: [tensorValue('variable', 'float32', ['N', 1])],
    nodes: [regress],
  });

/**
 * Three splits at 0.5; the second and third lead to each other when true. The model loads. A row above 0.5 gets 5; the
 * run of any other row never ends. (The engine would refuse a cycle along the false sides.)
 */
export function cyclicTree(): Uint8Array {
  const nodes = {
    trees: [0, 0, 0, 0, 0, 0],
    ids: [0, 1, 2, 3, 4, 5],
    features: [0, 0, 0, 0, 0, 0],
    thresholds: [0.5, 0.5, 0.5, 0, 0, 0],
    modes: ['BRANCH_LEQ', 'BRANCH_LEQ', 'BRANCH_LEQ', 'LEAF', 'LEAF', 'LEAF'],
    whenTrue: [1, 2, 1, 0, 0, 0],
    whenFalse: [3, 4, 5, 0, 0, 0],
  };
  return treeRegressor(nodes, [3, 4, 5], [5, 5, 5]);
}

/**
 * One tree that is a chain of levels: X at most 0 gives 1, at most 1 gives 2, and so on; above all levels 0. With
 * 20,000 levels the engine ends the process with SIGSEGV at load.
 */
export function deepTree(levels: number): Uint8Array {
  const count = 2 * levels + 1;
  const column = <T>(of: (id: number) => T) => Array.from({ length: count }, (_, id) => of(id));
  const isLeaf = (id: number) => id % 2 === 1 || id === count - 1;
  const nodes = {
    trees: column(() => 0),
    ids: column((id) => id),
    features: column(() => 0),
    thresholds: column((id) => id / 2),
    modes: column((id) => (isLeaf(id) ? 'LEAF' : 'BRANCH_LEQ')),
    whenTrue: column((id) => (isLeaf(id) ? 0 : id + 1)),
    whenFalse: column((id) => (isLeaf(id) ? 0 : id + 2)),
  };
  const leaves = nodes.ids.filter(isLeaf);
  const weights = leaves.map((id) => (id === count - 1 ? 0 : (id + 1) / 2));
  return treeRegressor(nodes, leaves, weights);
}

/** The newer operator of ai.onnx.ml 5. X [N, 1] → variable [N, 1]: nodes and leaves are referred to by index. */
export function treeEnsemble(nodes: {
  whenTrue: readonly number[];
  isTrueLeaf: readonly number[];
  whenFalse: readonly number[];
  isFalseLeaf: readonly number[];
  thresholds: readonly number[];
  weights: readonly number[];
  roots?: readonly number[];
}): Uint8Array {
  const { thresholds, weights } = nodes;
  const zeros = thresholds.map(() => 0);
  const regress = node('ai.onnx.ml:TreeEnsemble', ['X'], ['variable'], {
    n_targets: int(1),
    aggregate_function: int(1),
    post_transform: int(0),
    tree_roots: ints(nodes.roots ?? [0]),
    nodes_modes: tensor(initializer('modes', 'uint8', [zeros.length], zeros)),
    nodes_featureids: ints(zeros),
    nodes_splits: tensor(initializer('splits', 'float32', [thresholds.length], thresholds)),
    nodes_truenodeids: ints(nodes.whenTrue),
    nodes_trueleafs: ints(nodes.isTrueLeaf),
    nodes_falsenodeids: ints(nodes.whenFalse),
    nodes_falseleafs: ints(nodes.isFalseLeaf),
    leaf_targetids: ints(weights.map(() => 0)),
    leaf_weights: tensor(initializer('weights', 'float32', [weights.length], weights)),
  });
  return treeModel(regress, 5);
}
