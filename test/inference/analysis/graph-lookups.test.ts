import { expect, test } from 'vitest';
import { findLookups } from '../../../src/inference/analysis/graph-lookups.js';
import { readGraph } from '../../../src/inference/onnx/read-graph.js';
import { initializer, int, model, node, tensorValue } from '../../helpers/onnx.js';

const lookupsOf = (nodes: Parameters<typeof model>[0]['nodes']) =>
  Object.fromEntries(
    findLookups(
      readGraph(
        model({
          inputs: [tensorValue('A', 'int64', ['N']), tensorValue('B', 'int64', ['N'])],
          outputs: [tensorValue('Y', 'float32')],
          initializers: [initializer('T', 'float32', [3], [1, 2, 3])],
          nodes: nodes ?? [],
        }),
      ),
    ),
  );

test.each([
  ['an input', [node('Gather', ['T', 'A'], ['Y'])], { Y: 'A' }],
  [
    'an input that other nodes pass on',
    [
      node('Cast', ['B'], ['b'], { to: int(6) }),
      node('Identity', ['b'], ['c']),
      node('GatherElements', ['T', 'c'], ['Y']),
    ],
    { Y: 'B' },
  ],
  [
    'two inputs in two nodes',
    [node('Gather', ['T', 'A'], ['y']), node('Gather', ['T', 'B'], ['Y'])],
    { y: 'A', Y: 'B' },
  ],
  ['a computed value', [node('Add', ['A', 'B'], ['s']), node('Gather', ['T', 's'], ['Y'])], {}],
  [
    'a cycle of nodes',
    [node('Identity', ['p'], ['q']), node('Identity', ['q'], ['p']), node('Gather', ['T', 'p'], ['Y'])],
    {},
  ],
  ['two inputs in one node', [node('com.microsoft:EmbedLayerNormalization', ['A', 'B', 'T'], ['Y'])], {}],
])('lookups by %s', (_, nodes, lookups) => expect(lookupsOf(nodes)).toEqual(lookups));
