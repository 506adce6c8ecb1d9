import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { loadOne, type Manifest, refusalOf } from '../../helpers/one-version.js';
import { ints, model, node, sequenceOfMapsValue, strings, tensorValue } from '../../helpers/onnx.js';
import { zipMap } from '../../helpers/onnx-models.js';

const two: Manifest = {
  task: 'classification',
  features: ['x0', 'x1'].map((name) => ({ name, type: 'number', minimum: 0, maximum: 1 })),
};
const withOutput = (output: NonNullable<Manifest['output']>): Manifest => ({ ...two, output });
const row = { x0: 0.5, x1: 0.5 };

/** The columns of X [N, 2] with the names of a ZipMap, without a label. */
const zipOf = (classes: readonly string[]) =>
  model({
    inputs: [tensorValue('X', 'float32', ['N', 2])],
    outputs: [sequenceOfMapsValue('p', 'string', 'float32')],
    nodes: [node('ai.onnx.ml:ZipMap', ['X'], ['p'], { classlabels_strings: strings(classes) })],
  });

describe('a ZipMap in a version whose manifest does not name outputs', () => {
  test('gives the probabilities its own class names, in the order of its columns', async () => {
    using version = await loadOne(two, zipOf(['yes', 'no']));
    expect(await version.ask({ x0: 0.25, x1: 0.75 })).toEqual({
      code: 'ok',
      prediction: 'no',
      probability: 0.75,
      probabilities: { yes: 0.25, no: 0.75 },
    });
  });

  // scipy 1.17.1: expit(1) as float32
  test('gives the probabilities its own class numbers beside the label', async () => {
    using version = await loadOne(two, zipMap({ classes: [5, 9] }));
    expect(await version.ask(row)).toMatchObject({
      prediction: 9,
      probabilities: { 9: expect.closeTo(0.7310585786, 6) },
    });
  });

  // The label output is 1 here, a position. Read as one of the numbers, it would be the other class.
  test('maps a label that is a position to the class number at that position', async () => {
    using version = await loadOne(two, zipMap({ classes: [1, 2] }));
    expect(await version.ask(row)).toMatchObject({ prediction: 2, probability: expect.closeTo(0.731, 3) });
  });

  test('is served by its output name from a child process', async () => {
    const output = { label: 'label', probabilities: 'output_probability' };
    using version = await loadOne({ ...two, output, runtime: { executor: 'isolated' } }, zipMap());
    expect(await version.ask(row)).toMatchObject({
      code: 'ok',
      prediction: 1,
      probabilities: { 1: expect.closeTo(0.7310585786, 6) },
    });
  });

  test('is a tensor output in the task tensor', async () => {
    using version = await loadOne({ task: 'tensor' }, zipMap());
    const answer = await version.ask({ inputs: { X: [[0, 0]] }, outputs: ['output_probability'] });
    expect(answer['outputs']).toEqual({ output_probability: [[0.5, 0.5]] });
  });

  test('does not change the file and its digest', async () => {
    // The manifest holds the digest of the file, so that a changed file would not load.
    using version = await loadOne(two, zipMap());
    expect(version.loaded.loadStats.memoryBytes).toBeGreaterThan(0);
    expect(version.loaded.loadStats.notes).toEqual([]);
  });
});

describe('the class names of a ZipMap', () => {
  test.each<[string, Manifest, Uint8Array, string]>([
    [
      'more names than columns',
      two,
      zipOf(['a', 'b', 'c']),
      "the graph's ZipMap has names for 3 classes, and its input p has 2 columns a row: export the model again, without ZipMap",
    ],
    [
      'one name for two columns',
      two,
      zipOf(['a']),
      "the graph's ZipMap has names for 1 class, and its input p has 2 columns a row: export the model again, without ZipMap",
    ],
    [
      'two equal names',
      two,
      zipOf(['a', 'a']),
      "the names of the graph's ZipMap are not distinct, or are integers beyond ±(2^53 − 1): list them in output.classes, in the order of the columns",
    ],
    [
      'numbers beyond 2^53',
      two,
      zipMap({ classes: [9_007_199_254_740_993n, 2n] }),
      "the names of the graph's ZipMap are not distinct, or are integers beyond ±(2^53 − 1): list them in output.classes, in the order of the columns",
    ],
    [
      'another order than in the manifest',
      withOutput({ classes: ['b', 'a'] }),
      zipOf(['a', 'b']),
      "output.classes are those of the graph's ZipMap in another order; its columns are a, b",
    ],
  ])('are refused: %s', async (_, manifest, bytes, message) => {
    expect(await refusalOf(manifest, bytes)).toBe(message);
  });

  test('may be replaced by classes of the manifest', async () => {
    using version = await loadOne(withOutput({ classes: ['no', 'yes'] }), zipMap());
    expect(await version.ask(row)).toMatchObject({ prediction: 'yes' });
  });

  test('if a graph has several ZipMaps, are those of the output that the manifest names', async () => {
    const zips = ['p', 'q'].map((name, k) =>
      node('ai.onnx.ml:ZipMap', ['X'], [name], { classlabels_int64s: ints([k, k + 1]) }),
    );
    const bytes = model({
      inputs: [tensorValue('X', 'float32', ['N', 2])],
      outputs: ['p', 'q'].map((name) => sequenceOfMapsValue(name, 'int64', 'float32')),
      nodes: zips,
    });
    expect(await refusalOf(two, bytes)).toBe(
      "several of the graph's outputs can be the probabilities: p, q; name one in output.probabilities",
    );
    using version = await loadOne(withOutput({ probabilities: 'q' }), bytes);
    expect(await version.ask({ x0: 0.25, x1: 0.75 })).toMatchObject({ prediction: 2 });
  });
});

/** CatBoost 1.2.10 with the classes 1 and 2, for which onnxruntime 1.30 returns the labels 0 and 1. */
test('a CatBoost classifier with the classes 1 and 2 returns the class of training as label', async () => {
  const bytes = readFileSync('test/cases/catboost-places/model.onnx');
  const truth = JSON.parse(readFileSync('test/cases/catboost-places/truth.json', 'utf8'));
  const features = ['a', 'b', 'c', 'd'].map((name) => ({ name, type: 'number' as const }));
  for (const output of [undefined, { label: 'label' }, { label: 'label', classes: ['no', 'yes'] }]) {
    using version = await loadOne({ task: 'classification', features, ...(output && { output }) }, bytes);
    for (const [k, values] of truth.rows.entries()) {
      const body = Object.fromEntries(features.map(({ name }, column) => [name, values[column]]));
      const label = truth.labels[k];
      const expected = output?.classes === undefined ? label : output.classes[label - 1];
      expect((await version.ask(body))['prediction']).toBe(expected);
    }
  }
});
