import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { openSession } from '../../../src/inference/engine/session.js';
import { type ModelGraph, readGraph } from '../../../src/inference/onnx/read-graph.js';
import { readServedGraph } from '../../../src/inference/onnx/served-graph.js';
import { join, message, text } from '../../helpers/onnx/wire.js';
import {
  floats,
  int,
  ints,
  model,
  node,
  sequenceOfMapsValue,
  strings,
  tensorValue,
} from '../../helpers/onnx.js';
import { binaryClassifier, zipMap } from '../../helpers/onnx-models.js';

const X = { X: { type: 'float32', dims: [2, 2], data: Float32Array.of(1, 2, -1, 0.5) } } as const;

function run(bytes: Uint8Array, output: string) {
  const session = openSession(readServedGraph(bytes).model, 1);
  try {
    return session.run(X, [output])[output];
  } finally {
    session.release();
  }
}

const shapeOf = (graph: ModelGraph, name: string) => graph.outputs.find((it) => it.name === name);

describe('a ZipMap that ends a graph', () => {
  test('gives way to the tensor that goes into it, under its own name', () => {
    const { graph } = readServedGraph(zipMap());
    expect(shapeOf(graph, 'output_probability')).toEqual({
      name: 'output_probability',
      kind: 'tensor',
      elementType: 'float32',
      shape: [undefined, 2],
    });
    expect(graph.nodes.map(({ opType, domain }) => `${domain}:${opType}`)).toEqual([
      'ai.onnx.ml:LinearClassifier',
      ':Identity',
    ]);
    expect(graph.zipMaps).toEqual(
      new Map([['output_probability', { input: 'probabilities', classes: [0, 1] }]]),
    );
    expect(run(zipMap(), 'output_probability')).toEqual(run(binaryClassifier(), 'probabilities'));
  });

  test('names its columns in its own order: texts, and numbers that begin anywhere', () => {
    const classesOf = (classes: readonly string[] | readonly number[]) =>
      readServedGraph(zipMap({ classes })).graph.zipMaps?.get('output_probability')?.classes;
    expect(classesOf(['b', 'a'])).toEqual(['b', 'a']);
    expect(classesOf([20, -5])).toEqual([20, -5]);
  });

  test('is replaced where the file names no set of ONNX’s own operators', () => {
    const bytes = readFileSync('test/cases/catboost-zipmap/model.onnx');
    expect(readGraph(bytes).opsets).toEqual([{ domain: 'ai.onnx.ml', version: 2 }]);
    const { graph, model: served } = readServedGraph(bytes);
    expect(graph.opsets).toContainEqual({ domain: '', version: 8 });
    const row = { type: 'float32', dims: [1, 4], data: new Float32Array(4) } as const;
    const answer = openSession(served, 1).run({ features: row }, ['label', 'probabilities']);
    expect([answer['label']?.type, answer['probabilities']?.type]).toEqual(['int64', 'float32']);
  });

  test('is replaced beside others of its kind, and where the graph stands in two pieces', () => {
    const names = ['one', 'two'];
    const zips = names.map((name) =>
      node('ai.onnx.ml:ZipMap', ['X'], [name], { classlabels_strings: strings(['a', 'b']) }),
    );
    const values = names.map((name) => sequenceOfMapsValue(name, 'string', 'float32'));
    const bytes = join([
      model({
        inputs: [tensorValue('X', 'float32', ['N', 2])],
        outputs: values.slice(0, 1),
        nodes: zips.slice(0, 1),
      }),
      message(7, [
        message(1, (zips[1] as (typeof zips)[0]).bytes),
        message(12, (values[1] as (typeof values)[0]).bytes),
      ]),
    ]);
    const { graph } = readServedGraph(bytes);
    expect([...(graph.zipMaps ?? []).keys()]).toEqual(names);
    expect(graph.outputs.map(({ kind }) => kind)).toEqual(['tensor', 'tensor']);
    expect(graph.nodes.map(({ opType }) => opType)).toEqual(['Identity', 'Identity']);
  });

  test('gives float32 after float64, as a ZipMap does', () => {
    const bytes = model({
      inputs: [tensorValue('X', 'float64', ['N', 2])],
      outputs: [sequenceOfMapsValue('maps', 'int64', 'float32')],
      nodes: [node('ai.onnx.ml:ZipMap', ['X'], ['maps'], { classlabels_int64s: ints([0, 1]) })],
    });
    const session = openSession(readServedGraph(bytes).model, 1);
    const feeds = { X: { type: 'float64', dims: [1, 2], data: Float64Array.of(0.25, 0.75) } } as const;
    expect(session.run(feeds, ['maps'])['maps']).toMatchObject({ type: 'float32', dims: [1, 2] });
    session.release();
  });
});

describe('what is left as it is', () => {
  test.each([
    ['a graph without a ZipMap', binaryClassifier()],
    ['a ZipMap whose maps go into another node', zipMap({ used: true })],
    [
      'an operator of that name from another domain',
      model({
        inputs: [tensorValue('X', 'float32', ['N', 2])],
        outputs: [tensorValue('Y', 'float32')],
        nodes: [node('com.example:ZipMap', ['X'], ['Y'])],
      }),
    ],
  ])('%s: the very same bytes', (_, bytes) => {
    const served = readServedGraph(bytes);
    expect(served.model.equals(bytes)).toBe(true);
    expect(served.graph.zipMaps).toBeUndefined();
  });

  test('every other part of a graph with a ZipMap', () => {
    const classify = node('ai.onnx.ml:Scaler', ['X'], ['p'], {
      offset: floats([0, 0]),
      scale: floats([1, 2]),
    });
    const rest = [node('Cast', ['p'], ['wide'], { to: int(11) }), node('Identity', ['wide'], ['other'])];
    const source = (last: ReturnType<typeof node>, value: ReturnType<typeof tensorValue>) =>
      model({
        inputs: [tensorValue('X', 'float32', ['N', 2])],
        outputs: [tensorValue('other', 'float64', ['N', 2]), value],
        nodes: [classify, last, ...rest],
        metadata: { author: 'somebody' },
      });
    const zipped = source(
      node('ai.onnx.ml:ZipMap', ['p'], ['z'], { classlabels_int64s: ints([0, 1]) }),
      sequenceOfMapsValue('z', 'int64', 'float32'),
    );
    const plain = source(node('Identity', ['p'], ['z']), tensorValue('z', 'float32', [undefined, 2]));
    const { graph, model: served } = readServedGraph(zipped);
    const { zipMaps: _, ...read } = graph;
    expect(JSON.stringify(read)).toBe(JSON.stringify(readGraph(plain)));
    expect(served.includes(Buffer.from(text(1, 'author')))).toBe(true);
    expect(served.includes(Buffer.from(classify.bytes))).toBe(true);
  });
});
