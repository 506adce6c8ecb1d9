import { runAtOnce, runInSlices, type Steps } from '../../time/slices.js';
import type { GraphNode, ModelGraph } from '../onnx/read-graph.js';
import { graphLimits } from '../protobuf/limits.js';
import { createTreePlaces, stride } from './tree-places.js';

/** onnxruntime 1.30 builds trees by recursion: with a stack of 8 MB, 10,000 levels load and 20,000 end in SIGSEGV. */
const MAX_TREE_DEPTH = 5_000;

type Nodes = Pick<ModelGraph, 'nodes' | 'nestedNodes'>;

/**
 * Finds the first fault in the tree ensembles of a model: a cycle, a missing node, or a tree that is too deep.
 * onnxruntime 1.30 refuses only cycles along false sides. With another cycle, a run may never end. Throws `GraphError`
 * if there are too many nodes to judge.
 */
export function findTreeFault(graph: Nodes): string | undefined {
  return runAtOnce(findInSteps(graph));
}

/** As `findTreeFault`, without blocking the thread. */
export async function findTreeFaultInSlices(graph: Nodes): Promise<string | undefined> {
  return runInSlices(findInSteps(graph));
}

function* findInSteps(graph: Nodes): Steps<string | undefined> {
  const budget = { left: graphLimits.treeElements };
  for (const node of [...graph.nodes, ...graph.nestedNodes]) {
    if (node.domain !== 'ai.onnx.ml') continue;
    const read = READERS.get(node.opType);
    if (read === undefined) continue;
    const edges = yield* read(node, budget);
    const fault = typeof edges === 'string' ? edges : yield* findPathFault(edges);
    if (fault !== undefined) return `${node.opType} "${node.name}" ${fault}`;
  }
  return undefined;
}

/** For each node, the place of the next node if the comparison is true or false; NONE for a leaf. */
interface Edges {
  readonly whenTrue: Int32Array;
  readonly whenFalse: Int32Array;
}

const NONE = -1;

const READERS = new Map<string, (node: GraphNode, budget: Budget) => Steps<Edges | string>>([
  ['TreeEnsembleClassifier', readTrees],
  ['TreeEnsembleRegressor', readTrees],
  ['TreeEnsemble', readForest],
]);

/** Elements of lists that may still be read, for all ensembles together. */
interface Budget {
  left: number;
}

function* ints(node: GraphNode, name: string, budget: Budget): Steps<Int32Array> {
  yield;
  const value = node.attributes.get(name);
  if (value?.kind !== 'ints') return new Int32Array();
  return spend(value.readInt32(Math.min(graphLimits.treeNodes, budget.left)), budget);
}

function* leavesOf(node: GraphNode, budget: Budget): Steps<Uint8Array> {
  yield;
  const value = node.attributes.get('nodes_modes');
  if (value?.kind !== 'strings') return new Uint8Array();
  return spend(value.match('LEAF', Math.min(graphLimits.treeNodes, budget.left)), budget);
}

function spend<T extends { readonly length: number }>(list: T, budget: Budget): T {
  budget.left -= list.length;
  return list;
}

/** The older form: a tree and a number within it name a node. */
function* readTrees(node: GraphNode, budget: Budget): Steps<Edges | string> {
  const trees = yield* ints(node, 'nodes_treeids', budget);
  const ids = yield* ints(node, 'nodes_nodeids', budget);
  // The lists hold numbers of nodes, which are replaced in place by places.
  const whenTrue = yield* ints(node, 'nodes_truenodeids', budget);
  const whenFalse = yield* ints(node, 'nodes_falsenodeids', budget);
  const leaves = yield* leavesOf(node, budget);
  const count = trees.length;
  if (count === 0) return 'has no nodes';
  if ([ids, leaves, whenTrue, whenFalse].some(({ length }) => length !== count)) {
    return 'has lists of unequal length';
  }

  const places = yield* createTreePlaces(trees, ids);
  if (places === undefined) return 'has two nodes with one number in a tree';
  for (let i = 0; i < count; i++) {
    if (i % stride === 0) yield;
    if (leaves[i] === 1) {
      whenTrue[i] = NONE;
      whenFalse[i] = NONE;
      continue;
    }
    const yes = places.find(i, whenTrue[i]!);
    const no = places.find(i, whenFalse[i]!);
    if (yes === undefined || no === undefined) {
      return `has a node ${ids[i]} in tree ${trees[i]} whose next node does not exist`;
    }
    whenTrue[i] = yes;
    whenFalse[i] = no;
  }
  return { whenTrue, whenFalse };
}

/** The form of ai.onnx.ml 5: nodes and leaves are places in two lists. */
function* readForest(node: GraphNode, budget: Budget): Steps<Edges | string> {
  const count = (yield* ints(node, 'nodes_featureids', budget)).length;
  const leaves = (yield* ints(node, 'leaf_targetids', budget)).length;
  if (count === 0) return 'has no nodes';
  if ((yield* ints(node, 'tree_roots', budget)).some((root) => root < 0 || root >= count)) {
    return 'has a tree that begins at a node that does not exist';
  }
  const sides: Int32Array[] = [];
  for (const side of ['true', 'false']) {
    const targets = yield* ints(node, `nodes_${side}nodeids`, budget);
    const leafFlags = yield* ints(node, `nodes_${side}leafs`, budget);
    if (targets.length !== count || leafFlags.length !== count) return 'has lists of unequal length';
    for (let i = 0; i < count; i++) {
      if (i % stride === 0) yield;
      const isLeaf = leafFlags[i] !== 0;
      if (targets[i]! < 0 || targets[i]! >= (isLeaf ? leaves : count)) {
        return `has a node ${i} whose next node does not exist`;
      }
      if (isLeaf) targets[i] = NONE;
    }
    sides.push(targets);
  }
  const [whenTrue, whenFalse] = sides as [Int32Array, Int32Array];
  return { whenTrue, whenFalse };
}

/** A topological sort: the nodes that remain lie on a cycle or below one. Chains of equalities share an end node. */
function* findPathFault({ whenTrue, whenFalse }: Edges): Steps<string | undefined> {
  const count = whenTrue.length;
  const parents = new Int32Array(count);
  const levels = new Uint16Array(count);
  const taken = new Int32Array(count);
  let size = 0;
  for (let i = 0; i < 2 * count; i++) {
    const child = (i < count ? whenTrue[i] : whenFalse[i - count]) ?? NONE;
    if (child !== NONE) parents[child]! += 1;
    if (i % stride === 0) yield;
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
    if (i % stride === 0) yield;
  }
  return size < count ? 'has a tree with a node that leads back to itself' : undefined;
}

/** A name of two values, which the format forbids: the engine would use one constant, or ignore a request's value. */
export function findSharedName({ inputs, initializers, nodes }: ModelGraph): string | undefined {
  const names = new Set<string>(initializers.keys());
  for (const name of [...inputs.map((input) => input.name), ...nodes.flatMap(({ outputs }) => outputs)]) {
    if (name !== '' && names.has(name)) return name;
    names.add(name);
  }
  return undefined;
}
