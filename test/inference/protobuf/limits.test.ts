import { describe, expect, test } from 'vitest';
import { findTreeFault, findTreeFaultInSlices } from '../../../src/inference/analysis/tree-faults.js';
import { GraphError, readGraph, readGraphInSlices } from '../../../src/inference/onnx/read-graph.js';
import { bombs } from '../../helpers/onnx/bombs.js';
import * as wire from '../../helpers/onnx/wire.js';
import * as onnx from '../../helpers/onnx.js';
import * as cast from '../../helpers/onnx-models.js';

describe('a file made to exhaust memory or time is refused', () => {
  test.each(bombs)('$name', async ({ make, reason }) => {
    const bytes = make();
    let error: unknown;
    try {
      findTreeFault(readGraph(bytes));
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(GraphError);
    expect(String(error)).toMatch(/is larger than a model can be: it has/);
    expect(String(error)).toMatch(reason);
    await expect(readGraphInSlices(bytes).then(findTreeFaultInSlices)).rejects.toThrow(reason);
  });
});

describe('a large and valid file is read', () => {
  test('a forest of 100 trees and 100,000 nodes, in any order', async () => {
    const graph = readGraph(forest(100, 1_023));
    expect(findTreeFault(graph)).toBeUndefined();
    expect(await findTreeFaultInSlices(readGraph(forest(100, 1_023, true)))).toBeUndefined();
  });

  test('a cycle is found in a forest with nodes in no order', () => {
    expect(findTreeFault(readGraph(forest(50, 1_023, true, true)))).toContain('leads back to itself');
  });

  test('a text attribute of 20 MB is not decoded', () => {
    const long = wire.message(4, new Uint8Array(20_000_000));
    const model = onnx.model({
      nodes: [
        onnx.node('Op', [], [], { a: { kind: 'attribute', bytes: wire.join([long, wire.integer(20, 3)]) } }),
      ],
    });
    expect(readGraph(model).nodes[0]?.attributes.get('a')).toEqual({ kind: 'other' });
  });

  test('metadata of 5 MB is decoded', () => {
    const value = 'é'.repeat(2_500_000);
    expect(readGraph(onnx.model({ metadata: { value } })).metadata.get('value')).toBe(value);
  });

  test('a list of over a million weights can be counted, but not read', () => {
    const model = onnx.model({
      nodes: [onnx.node('Op', [], [], { w: onnx.floats(new Float32Array(1_200_000)) })],
    });
    const value = readGraph(model).nodes[0]?.attributes.get('w');
    expect(value?.kind === 'floats' && value.count()).toBe(1_200_000);
    expect(() => value?.kind === 'floats' && value.read()).toThrow('a list of over 1,000,000 elements');
  });

  test('reading in slices and reading at once give one result', async () => {
    const model = cast.binaryClassifier();
    expect(JSON.stringify(await readGraphInSlices(model))).toBe(JSON.stringify(readGraph(model)));
    await expect(readGraphInSlices(model.subarray(0, 100))).rejects.toThrow('ends early at byte 100');
  });
});

/** Complete trees. `isShuffled` mixes the nodes of all trees. */
function forest(trees: number, nodes: number, isShuffled = false, hasCycle = false): Uint8Array {
  const count = trees * nodes;
  // The step and the count have no common factor, so that each node comes once.
  const order = Array.from({ length: count }, (_, k) => (isShuffled ? (k * 1_000_003) % count : k));
  const isLeaf = (k: number) => 2 * (k % nodes) + 2 >= nodes;
  const next = (side: 1 | 2) => (k: number) => (hasCycle && k === 1 ? 0 : 2 * (k % nodes) + side);
  return cast.treeRegressor(
    {
      trees: order.map((k) => Math.floor(k / nodes)),
      ids: order.map((k) => k % nodes),
      features: order.map(() => 0),
      thresholds: order.map(() => 0.5),
      modes: order.map((k) => (isLeaf(k) ? 'LEAF' : 'BRANCH_LEQ')),
      whenTrue: order.map((k) => (isLeaf(k) ? 0 : next(1)(k))),
      whenFalse: order.map((k) => (isLeaf(k) ? 0 : next(2)(k))),
    },
    [0],
    [1],
  );
}
