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

/** The columns of X [N, 2] under the names of a ZipMap, without a label. */
const zipOf = (classes: readonly string[]) =>
  model({
    inputs: [tensorValue('X', 'float32', ['N', 2])],
    outputs: [sequenceOfMapsValue('p', 'string', 'float32')],
    nodes: [node('ai.onnx.ml:ZipMap', ['X'], ['p'], { classlabels_strings: strings(classes) })],
  });

describe('a ZipMap in a version without names for its outputs', () => {
  test('is served by the names that stand in it, in the order of its columns', async () => {
    using version = await loadOne(two, zipOf(['yes', 'no']));
    expect(await version.ask({ x0: 0.25, x1: 0.75 })).toEqual({
      code: 'ok',
      prediction: 'no',
      probability: 0.75,
      probabilities: { yes: 0.25, no: 0.75 },
    });
  });

  // scipy 1.17.1: expit(1) as float32
  test('is served beside its label, by numbers that begin anywhere', async () => {
    using version = await loadOne(two, zipMap({ classes: [5, 9] }));
    expect(await version.ask(row)).toMatchObject({
      prediction: 9,
      probabilities: { 9: expect.closeTo(0.7310585786, 6) },
    });
  });

  // The label of the classifier is 1 here, which is a place: among the names it would be the other class.
  test('is served beside a label that counts from 0, by numbers that do not', async () => {
    using version = await loadOne(two, zipMap({ classes: [1, 2] }));
    expect(await version.ask(row)).toMatchObject({ prediction: 2, probability: expect.closeTo(0.731, 3) });
  });

  test('is served from a child process, and by its name', async () => {
    const output = { label: 'label', probabilities: 'output_probability' };
    using version = await loadOne({ ...two, output, runtime: { executor: 'isolated' } }, zipMap());
    expect(await version.ask(row)).toMatchObject({
      code: 'ok',
      prediction: 1,
      probabilities: { 1: expect.closeTo(0.7310585786, 6) },
    });
  });

  test('is one tensor more of the task tensor', async () => {
    using version = await loadOne({ task: 'tensor' }, zipMap());
    const answer = await version.ask({ inputs: { X: [[0, 0]] }, outputs: ['output_probability'] });
    expect(answer['outputs']).toEqual({ output_probability: [[0.5, 0.5]] });
  });

  test('leaves the file and its digest as they are', async () => {
    // The manifest holds the digest of the file: it would not load otherwise.
    using version = await loadOne(two, zipMap());
    expect(version.loaded.loadStats.memoryBytes).toBeGreaterThan(0);
    expect(version.loaded.loadStats.notes).toEqual([]);
  });
});

describe('the names of a ZipMap', () => {
  test.each<[string, Manifest, Uint8Array, string]>([
    [
      'more than there are columns',
      two,
      zipOf(['a', 'b', 'c']),
      "the graph's ZipMap has names for 3 classes, and its input p has 2 columns a row: export the model again, without ZipMap",
    ],
    [
      'one for two columns',
      two,
      zipOf(['a']),
      "the graph's ZipMap has names for 1 class, and its input p has 2 columns a row: export the model again, without ZipMap",
    ],
    [
      'two alike',
      two,
      zipOf(['a', 'a']),
      "the names of the graph's ZipMap are not distinct, or are integers beyond ±(2^53 − 1): list them in output.classes, in the order of the columns",
    ],
    [
      'beyond what a number holds',
      two,
      zipMap({ classes: [9_007_199_254_740_993n, 2n] }),
      "the names of the graph's ZipMap are not distinct, or are integers beyond ±(2^53 − 1): list them in output.classes, in the order of the columns",
    ],
    [
      'in another order than the manifest',
      withOutput({ classes: ['b', 'a'] }),
      zipOf(['a', 'b']),
      "output.classes are those of the graph's ZipMap in another order; its columns are a, b",
    ],
  ])('%s', async (_, manifest, bytes, message) => {
    expect(await refusalOf(manifest, bytes)).toBe(message);
  });

  test('others may stand for them', async () => {
    using version = await loadOne(withOutput({ classes: ['no', 'yes'] }), zipMap());
    expect(await version.ask(row)).toMatchObject({ prediction: 'yes' });
  });

  test('of a graph with several, the manifest says which', async () => {
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

/** CatBoost 1.2.10: classes 1 and 2, for which onnxruntime 1.30 gives the label as 0 and 1. */
test('the label of a CatBoost classifier of 1 and 2 is the class, as in training', async () => {
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
