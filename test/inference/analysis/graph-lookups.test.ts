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
  ['by an input itself', [node('Gather', ['T', 'A'], ['Y'])], { Y: 'A' }],
  [
    'by an input that is passed on',
    [
      node('Cast', ['B'], ['b'], { to: int(6) }),
      node('Identity', ['b'], ['c']),
      node('GatherElements', ['T', 'c'], ['Y']),
    ],
    { Y: 'B' },
  ],
  [
    'of two inputs',
    [node('Gather', ['T', 'A'], ['y']), node('Gather', ['T', 'B'], ['Y'])],
    { y: 'A', Y: 'B' },
  ],
  ['by what was computed', [node('Add', ['A', 'B'], ['s']), node('Gather', ['T', 's'], ['Y'])], {}],
  [
    'in a circle',
    [node('Identity', ['p'], ['q']), node('Identity', ['q'], ['p']), node('Gather', ['T', 'p'], ['Y'])],
    {},
  ],
  ['by both inputs', [node('com.microsoft:EmbedLayerNormalization', ['A', 'B', 'T'], ['Y'])], {}],
])('a node looks up %s', (_, nodes, lookups) => expect(lookupsOf(nodes)).toEqual(lookups));
