import type { GraphNode, ModelGraph } from './graph.js';

/**
 * Trees deeper than this are refused: onnxruntime 1.30 builds trees by recursion, and at 20,000 levels that ends
 * the process with SIGSEGV; 10,000 still load, with a stack of 8 MB.
 */
const MAX_TREE_DEPTH = 5_000;

/**
 * The first fault in the shape of a tree ensemble anywhere in the model: a node that leads back to itself, that
 * does not exist, or that lies too deep. Of cycles, onnxruntime 1.30 refuses only those along false sides: others
 * load, and a row that enters one never comes back.
 */
export function findTreeFault(graph: Pick<ModelGraph, 'nodes' | 'nestedNodes'>): string | undefined {
  for (const node of [...graph.nodes, ...graph.nestedNodes]) {
    if (node.domain !== 'ai.onnx.ml') continue;
    const read = READERS.get(node.opType);
    if (read === undefined) continue;
    const edges = read(node);
    const fault = typeof edges === 'string' ? edges : findPathFault(edges);
    if (fault !== undefined) return `${node.opType} "${node.name}" ${fault}`;
  }
  return undefined;
}

/** By node, the place of the next one when the comparison holds and when not; NONE for a leaf. */
interface Edges {
  readonly whenTrue: Int32Array;
  readonly whenFalse: Int32Array;
}

const NONE = -1;

/** The edges, or what is wrong with them. */
const READERS = new Map<string, (node: GraphNode) => Edges | string>([
  ['TreeEnsembleClassifier', readTrees],
  ['TreeEnsembleRegressor', readTrees],
  ['TreeEnsemble', readForest],
]);

function ints(node: GraphNode, name: string): readonly number[] {
  const value = node.attributes.get(name);
  return value?.kind === 'ints' ? value.read() : [];
}

function strings(node: GraphNode, name: string): readonly string[] {
  const value = node.attributes.get(name);
  return value?.kind === 'strings' ? value.read() : [];
}

/** The older form: nodes are named by a tree and a number within it. */
function readTrees(node: GraphNode): Edges | string {
  const trees = ints(node, 'nodes_treeids');
  const ids = ints(node, 'nodes_nodeids');
  const targets = [ints(node, 'nodes_truenodeids'), ints(node, 'nodes_falsenodeids')] as const;
  const modes = strings(node, 'nodes_modes');
  const count = trees.length;
  if (count === 0) return 'has no nodes';
  if ([ids, modes, ...targets].some(({ length }) => length !== count)) return 'has lists of unequal length';

  const find = createFinder(trees, ids);
  if (find === undefined) return 'has two nodes of one number in a tree';
  const edges = { whenTrue: new Int32Array(count).fill(NONE), whenFalse: new Int32Array(count).fill(NONE) };
  for (let i = 0; i < count; i++) {
    if (modes[i] === 'LEAF') continue;
    const yes = find(trees[i], targets[0][i]);
    const no = find(trees[i], targets[1][i]);
    if (yes === undefined || no === undefined) {
      return `has a node ${ids[i]} in tree ${trees[i]} that leads to one that does not exist`;
    }
    edges.whenTrue[i] = yes;
    edges.whenFalse[i] = no;
  }
  return edges;
}

/** From a tree and a number in it to the node's place; undefined when the numbers tell no nodes apart. */
function createFinder(trees: readonly number[], ids: readonly number[]) {
  const starts = new Map<number, number>();
  let isPlain = true;
  for (let i = 0; i < trees.length && isPlain; i++) {
    const tree = trees[i]!;
    const id = ids[i]!;
    if (id === 0 && !starts.has(tree)) starts.set(tree, i);
    isPlain = starts.get(tree) === i - id && (id === 0 || trees[i - 1] === tree);
  }
  // As exporters write them, each tree in one piece and its nodes counted from 0, no table of nodes is needed.
  if (isPlain) {
    return (tree = NONE, id = NONE) => {
      const place = (starts.get(tree) ?? NONE) + id;
      return id >= 0 && trees[place] === tree ? place : undefined;
    };
  }
  const places = new Map<string, number>();
  for (let i = 0; i < trees.length; i++) places.set(`${trees[i]} ${ids[i]}`, i);
  if (places.size !== trees.length) return undefined;
  return (tree = NONE, id = NONE) => places.get(`${tree} ${id}`);
}

/** The form of ai.onnx.ml 5: nodes and leaves are places in two lists. */
function readForest(node: GraphNode): Edges | string {
  const count = ints(node, 'nodes_featureids').length;
  const leaves = ints(node, 'leaf_targetids').length;
  if (count === 0) return 'has no nodes';
  if (ints(node, 'tree_roots').some((root) => root < 0 || root >= count)) {
    return 'has a tree that begins at a node that does not exist';
  }
  const whenTrue = readSide(ints(node, 'nodes_truenodeids'), ints(node, 'nodes_trueleafs'), count, leaves);
  const whenFalse = readSide(ints(node, 'nodes_falsenodeids'), ints(node, 'nodes_falseleafs'), count, leaves);
  if (typeof whenTrue === 'string') return whenTrue;
  return typeof whenFalse === 'string' ? whenFalse : { whenTrue, whenFalse };
}

function readSide(
  targets: readonly number[],
  leafFlags: readonly number[],
  count: number,
  leaves: number,
): Int32Array | string {
  if (targets.length !== count || leafFlags.length !== count) return 'has lists of unequal length';
  const isAbsent = (target: number, i: number) =>
    target < 0 || target >= (leafFlags[i] === 0 ? count : leaves);
  const lost = targets.findIndex(isAbsent);
  if (lost !== NONE) return `has a node ${lost} that leads to one that does not exist`;
  return Int32Array.from(targets, (target, i) => (leafFlags[i] === 0 ? target : NONE));
}

/**
 * Takes nodes away whose parents have all been taken, as in a topological sort: what is left over lies on a cycle
 * or below one. Nodes with two parents are fine: chains of equalities share an end.
 */
function findPathFault({ whenTrue, whenFalse }: Edges): string | undefined {
  const count = whenTrue.length;
  const parents = new Int32Array(count);
  const levels = new Int32Array(count);
  const taken = new Int32Array(count);
  let size = 0;
  for (let i = 0; i < 2 * count; i++) {
    const child = (i < count ? whenTrue[i] : whenFalse[i - count]) ?? NONE;
    if (child !== NONE) parents[child]! += 1;
  }
  const reach = (child: number, level: number) => {
    if (child === NONE) return;
    levels[child] = Math.max(levels[child]!, level);
    parents[child]! -= 1;
    if (parents[child] === 0) taken[size++] = child;
  };
  for (let i = 0; i < count; i++) if (parents[i] === 0) taken[size++] = i;
  for (let i = 0; i < size; i++) {
    const at = taken[i]!;
    const level = levels[at]! + 1;
    if (level > MAX_TREE_DEPTH) return `has a tree of over ${MAX_TREE_DEPTH} levels`;
    reach(whenTrue[at]!, level);
    reach(whenFalse[at]!, level);
  }
  return size < count ? 'has a tree with a node that leads back to itself' : undefined;
}
