import { describe, expect, test } from 'vitest';
import { findPassedOn } from '../../../src/inference/analysis/graph-passing.js';
import { findPlaceLabels } from '../../../src/inference/analysis/graph-places.js';
import { findOrigin, holdsSeveralLabels } from '../../../src/inference/analysis/output-origin.js';
import { readGraph } from '../../../src/inference/onnx/read-graph.js';
import {
  type Encoded,
  initializer,
  int,
  ints,
  model,
  node,
  string,
  strings,
  tensorValue,
} from '../../helpers/onnx.js';

const X = tensorValue('X', 'float32', ['N', 3]);
const graphOf = (nodes: readonly Encoded<'node'>[], outputs: readonly Encoded<'value'>[]) =>
  readGraph(
    model({
      inputs: [X, tensorValue('Label', 'string', ['N', 1])],
      outputs,
      nodes,
      initializers: [initializer('one', 'float32', [1], [1])],
    }),
  );
const out = tensorValue('out', 'float32', ['N', 3]);
const label = tensorValue('label', 'int64', ['N']);
const classifier = (k: number) =>
  node('ai.onnx.ml:LinearClassifier', ['X'], [`l${k}`, `p${k}`], {
    classlabels_ints: ints([0, 1]),
    post_transform: string('LOGISTIC'),
  });
const argMax = node('ArgMax', ['out'], ['label'], { axis: int(1), keepdims: int(0) });
const concat = (...parts: string[]) => node('Concat', parts, ['out'], { axis: int(1) });
const exp = node('Exp', ['X'], ['e']);
const sum = (of: string) => node('ReduceSum', [of], ['s']);

describe('several labels at once', () => {
  const sigmoid = node('Sigmoid', ['X'], ['out']);
  const two = [classifier(0), classifier(1)];
  test.each<[string, readonly Encoded<'node'>[], number, boolean]>([
    ['several sigmoids', [sigmoid], 3, true],
    ['one sigmoid', [sigmoid], 1, false],
    ['sigmoids of which the largest gives the label', [sigmoid, argMax], 3, false],
    ['sigmoids with a threshold each', [sigmoid, node('ai.onnx.ml:Binarizer', ['out'], ['label'])], 3, true],
    ['columns of several classifiers', [...two, concat('p0', 'p1')], 2, true],
    [
      'columns of several classifiers, scaled to a sum of one',
      [
        ...two,
        node('Concat', ['p0', 'p1'], ['c'], { axis: int(1) }),
        node('ai.onnx.ml:Normalizer', ['c'], ['out'], { norm: string('L1') }),
      ],
      2,
      false,
    ],
    [
      'columns of several classifiers divided by their sum',
      [
        ...two,
        node('Concat', ['p0', 'p1'], ['c'], { axis: int(1) }),
        sum('c'),
        node('Div', ['c', 's'], ['out']),
      ],
      2,
      false,
    ],
    [
      'both sides of one label',
      [node('Sigmoid', ['X'], ['p']), node('Sub', ['one', 'p'], ['q']), concat('q', 'p')],
      2,
      false,
    ],
    [
      'both sides of two labels',
      [node('Sigmoid', ['X'], ['p']), node('Sub', ['one', 'p'], ['q']), concat('q', 'p')],
      4,
      true,
    ],
    ['a softmax', [node('Softmax', ['X'], ['out'])], 3, false],
  ])('%s', (_, nodes, columns, expected) => {
    expect(holdsSeveralLabels(graphOf(nodes, [out, label]), 'out', columns)).toBe(expected);
  });
});

describe('probabilities without a classifier', () => {
  test.each<[string, readonly Encoded<'node'>[], string]>([
    ['a softmax in single operators', [exp, sum('e'), node('Div', ['e', 's'], ['out'])], 'probabilities'],
    [
      'a softmax in single operators that avoids zeros, as for AdaBoost',
      [exp, sum('e'), node('Add', ['s', 'one'], ['t']), node('Div', ['e', 't'], ['out'])],
      'probabilities',
    ],
    [
      'the reciprocal of a sum',
      [exp, sum('e'), node('Reciprocal', ['s'], ['r']), node('Mul', ['r', 'e'], ['out'])],
      'probabilities',
    ],
    [
      'shares of which the largest gives the label',
      [node('Abs', ['X'], ['e']), sum('e'), node('Div', ['e', 's'], ['out']), argMax],
      'probabilities',
    ],
    ['shares', [node('Abs', ['X'], ['e']), sum('e'), node('Div', ['e', 's'], ['out'])], 'unknown'],
    ['a division by the sum of other values', [exp, sum('X'), node('Div', ['e', 's'], ['out'])], 'unknown'],
  ])('%s', (_, nodes, expected) => {
    expect(findOrigin(graphOf(nodes, [out]), 'out').is).toBe(expected);
  });

  test('the search in a graph that joins its values again and again stops early', () => {
    const nodes = Array.from({ length: 100 }, (_, k) =>
      node('Concat', [k === 0 ? 'X' : `c${k - 1}`, k === 0 ? 'X' : `c${k - 1}`], [`c${k}`], { axis: int(0) }),
    );
    expect(findOrigin(graphOf(nodes, [tensorValue('c99', 'float32')]), 'c99').is).toBe('unknown');
  });
});

test('the search along a very long chain stops early', () => {
  const nodes = Array.from({ length: 20_000 }, (_, k) =>
    node('Clip', [k === 0 ? 'X' : `c${k - 1}`], [`c${k}`]),
  );
  const graph = graphOf(nodes, [tensorValue('c19999', 'float32', ['N', 3])]);
  expect(findOrigin(graph, 'c19999').is).toBe('unknown');
  expect(holdsSeveralLabels(graph, 'c19999', 3)).toBe(false);
  expect([...findPassedOn(graph)]).toEqual([]);
});

describe('an output that only passes an input on', () => {
  const made = [node('MatMul', ['X', 'one'], ['made'])];
  const text = tensorValue('out', 'string', ['N', 1]);
  test.each<[string, readonly Encoded<'node'>[], Encoded<'value'>]>([
    ['Identity', [node('Identity', ['Label'], ['out'])], text],
    ['Cast', [node('Cast', ['X'], ['out'], { to: int(11) })], tensorValue('out', 'float64', ['N', 3])],
    ['Reshape', [node('Reshape', ['X', 'one'], ['out'])], out],
    ['Concat of inputs', [concat('X', 'X')], out],
    ['Slice', [node('Slice', ['X', 'one', 'one'], ['out'])], out],
    [
      'the key of a label, as ML.NET writes it',
      [
        node('ai.onnx.ml:LabelEncoder', ['Label'], ['key'], {
          keys_strings: strings(['a']),
          values_int64s: ints([1]),
        }),
        node('Cast', ['key'], ['out'], { to: int(12) }),
      ],
      tensorValue('out', 'uint32', ['N', 1]),
    ],
  ])('%s', (_, nodes, value) => {
    const graph = graphOf([...nodes, ...made], [value, tensorValue('made', 'float32')]);
    expect([...findPassedOn(graph)]).toEqual(['out']);
    // If it is the only output, it is the prediction.
    expect([...findPassedOn(graphOf(nodes, [value]))]).toEqual([]);
  });

  test('a computed output does not', () => {
    const graph = graphOf([node('Neg', ['X'], ['out']), ...made], [out, tensorValue('made', 'float32')]);
    expect([...findPassedOn(graph)]).toEqual([]);
  });
});

test('a label of two whole-number classes with weights for both holds their places', () => {
  const trees = (ids: readonly number[], classes: readonly number[]) =>
    graphOf(
      [
        node('ai.onnx.ml:TreeEnsembleClassifier', ['X'], ['l', 'p'], {
          class_ids: ints(ids),
          classlabels_int64s: ints(classes),
        }),
        node('Cast', ['l'], ['label'], { to: int(7) }),
      ],
      [label],
    );
  expect(findPlaceLabels(trees([0, 1, 0], [3, 7]), 'label')).toEqual([3, 7]);
  expect(findPlaceLabels(trees([1, 1], [3, 7]), 'label')).toBeUndefined();
  expect(findPlaceLabels(trees([0, 1, 2], [3, 7, 9]), 'label')).toBeUndefined();
});
