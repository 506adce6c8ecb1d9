import type { Steps } from '../../time/slices.js';
import { toGraphError } from '../onnx/graph-error.js';
import { counted, graphLimits } from '../protobuf/limits.js';
import { LOWEST_INT32 } from '../protobuf/packed-run.js';
import { LimitError } from '../protobuf/protobuf-reader.js';

export interface TreePlaces {
  /** The place of node `id` in the tree of the node at `from`; undefined if there is none. */
  find(from: number, id: number): number | undefined;
}

/** Number of nodes between two places where other work may use the thread. */
export const stride = 65_536;
const NONE = -1;

export function* createTreePlaces(trees: Int32Array, ids: Int32Array): Steps<TreePlaces | undefined> {
  if (yield* isInOrder(trees, ids)) {
    return {
      find(from, id) {
        const place = from - (ids[from] as number) + id;
        return id >= 0 && trees[place] === trees[from] ? place : undefined;
      },
    };
  }
  return yield* createTable(trees, ids);
}

/** Exporters write trees in ascending order, with nodes counted from 0. Then no table is needed. */
function* isInOrder(trees: Int32Array, ids: Int32Array): Steps<boolean> {
  for (let i = 0; i < trees.length; i++) {
    const isNext = i > 0 && trees[i] === trees[i - 1] && ids[i] === (ids[i - 1] as number) + 1;
    const isFirst = ids[i] === 0 && (i === 0 || (trees[i] as number) > (trees[i - 1] as number));
    if (!isNext && !isFirst) return false;
    if (i % stride === 0) yield;
  }
  return true;
}

/** An open-addressed hash table: a `Map` takes some 100 bytes per node. Random factors prevent provoked collisions. */
function* createTable(trees: Int32Array, ids: Int32Array): Steps<TreePlaces | undefined> {
  const most = graphLimits.unorderedTreeNodes;
  if (trees.length > most)
    throw toGraphError(new LimitError(`has over ${counted(most)} nodes of trees in no order`));
  const mask = 2 ** Math.ceil(Math.log2(trees.length * 2)) - 1;
  const table = new Int32Array(mask + 1).fill(NONE);
  const [first, second] = [drawFactor(), drawFactor()];
  /** The slot of a node, or the empty slot where it belongs. */
  const slotOf = (tree: number, id: number): number => {
    let hash = Math.imul(tree, first) ^ Math.imul(id, second);
    hash = Math.imul(hash ^ (hash >>> 15), second);
    hash = Math.imul(hash ^ (hash >>> 13), first);
    let slot = (hash ^ (hash >>> 16)) & mask;
    for (;;) {
      const place = table[slot] as number;
      if (place === NONE || (trees[place] === tree && ids[place] === id)) return slot;
      slot = (slot + 1) & mask;
    }
  };
  for (let i = 0; i < trees.length; i++) {
    const slot = slotOf(trees[i] as number, ids[i] as number);
    if (table[slot] !== NONE || trees[i] === LOWEST_INT32 || ids[i] === LOWEST_INT32) return undefined;
    table[slot] = i;
    if (i % stride === 0) yield;
  }
  return {
    find(from, id) {
      const place = table[slotOf(trees[from] as number, id)] as number;
      return place === NONE ? undefined : place;
    },
  };
}

/** Odd, so that the multiplication loses no bits. */
const drawFactor = (): number => Math.floor(Math.random() * 2 ** 32) | 1;
