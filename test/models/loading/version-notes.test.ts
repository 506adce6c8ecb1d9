import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { loadOne, type Manifest } from '../../helpers/one-version.js';
import { initializer, int, model, node, tensorValue } from '../../helpers/onnx.js';
import { binaryClassifier } from '../../helpers/onnx-models.js';

const four = ['a', 'b', 'c', 'd'].map((name) => ({ name, type: 'number' as const }));
const caseOf = (path: string) => readFileSync(`test/cases/${path}`);
const all = 'the task tensor serves every output, and output.leftOut lists outputs that are not wanted';

/** A linear score and its negative with the name of probabilities, as skl2onnx exports an SVM of two classes. */
const opposites = () =>
  model({
    inputs: [tensorValue('X', 'float32', ['N', 2])],
    outputs: [tensorValue('label', 'int64', ['N']), tensorValue('output_probability', 'float32', ['N', 2])],
    initializers: [initializer('weights', 'float32', [2, 1], [3, -5])],
    nodes: [
      node('MatMul', ['X', 'weights'], ['score']),
      node('Neg', ['score'], ['opposite']),
      node('Concat', ['opposite', 'score'], ['output_probability'], { axis: int(1) }),
      node('ArgMax', ['output_probability'], ['label'], { axis: int(1), keepdims: int(0) }),
    ],
  });

async function notesOf(manifest: Manifest, bytes: Uint8Array, golden?: unknown): Promise<readonly string[]> {
  using version = await loadOne(manifest, bytes, golden);
  return version.loaded.loadStats.notes;
}

describe('a note names an output that is left out', () => {
  test('a note names probabilities beside a label until the manifest names them', async () => {
    const bytes = caseOf('adaboost-probabilities/model.onnx');
    const classification = (output: object): Manifest => ({ task: 'classification', features: four, output });
    expect(await notesOf(classification({ label: 'label' }), bytes)).toEqual([
      `the output probabilities is left out: if it holds probabilities, name it in output.probabilities of metadata.json; ${all}`,
    ]);
    const classes = ['high', 'low', 'mid'];
    const both = classification({ label: 'label', probabilities: 'probabilities', classes });
    expect(await notesOf(both, bytes)).toEqual([]);
  });

  test('a note does not suggest outlier scores as probabilities', async () => {
    const bytes = caseOf('second-output-lost/iforest.onnx');
    const features = four.slice(0, 3);
    const manifest: Manifest = { task: 'classification', features, output: { label: 'label' } };
    expect(await notesOf(manifest, bytes)).toEqual([
      `the output scores is left out: it holds scores and no probabilities; ${all}`,
    ]);
  });

  test('an output that the manifest lists as left out has no note', async () => {
    const bytes = caseOf('second-output-lost/iforest.onnx');
    const load = (leftOut: string[]) =>
      notesOf(
        { task: 'classification', features: four.slice(0, 3), output: { label: 'label', leftOut } },
        bytes,
      );
    expect(await load(['scores'])).toEqual([]);
    await expect(load(['label'])).rejects.toThrow('/output/leftOut names label, which is served');
    await expect(load(['score'])).rejects.toThrow(
      '/output/leftOut names score, which is no output of the graph',
    );
  });

  test('scores that the manifest names as probabilities are refused, even if their name says so', async () => {
    const bytes = opposites();
    const features = four.slice(0, 2);
    const named: Manifest = {
      task: 'classification',
      features,
      output: { label: 'label', probabilities: 'output_probability' },
    };
    await expect(notesOf(named, bytes)).rejects.toThrow(
      /^model\.onnx: output_probability holds no probabilities, since a tried row has .*: name only "label": "label" in output of metadata\.json, or give the output\.activation that turns its values into probabilities, or serve them with the task tensor$/,
    );
    expect(await notesOf({ ...named, output: { label: 'label' } }, bytes)).toEqual([
      `the output output_probability is left out: it holds scores and no probabilities; ${all}`,
    ]);
  });

  test('a version of the task tensor has no notes, even if all tried rows fail', async () => {
    const bytes = caseOf('topk-no-detections/plain.onnx');
    expect(await notesOf({ task: 'tensor' }, bytes)).toEqual([]);
  });

  describe('a label that is none of the classes', () => {
    const bytes = caseOf('second-output-lost/iforest.onnx');
    const load = (output: NonNullable<Manifest['output']>) =>
      notesOf({ task: 'classification', features: four.slice(0, 3), output }, bytes);

    test.each([{}, { classes: [0, 1] }])('is refused if the classes are 0 and 1: %j', async (more) => {
      await expect(load({ label: 'label', probabilities: 'scores', ...more })).rejects.toThrow(
        /^model\.onnx: the label label is none of the classes 0, 1 in [1-9]\d* of \d+ tried rows: list the values of the label in output\.classes of metadata\.json, in the order of the columns of scores; if scores holds no probabilities, name only "label": "label"$/,
      );
    });

    test('has a note if the manifest names other classes', async () => {
      expect(await load({ label: 'label', probabilities: 'scores', classes: [1, 2] })).toContainEqual(
        expect.stringMatching(/^the label label is none of the classes 1, 2 in [1-9]\d* of \d+ tried rows: /),
      );
    });
  });

  test('a sequence has a note, also in the task tensor', async () => {
    const bytes = caseOf('multioutput-sequence/model.onnx');
    const fault =
      'is a sequence of float32, which cannot be served: export its content as separate tensor outputs';
    using version = await loadOne({ task: 'tensor' }, bytes);
    expect(version.loaded.loadStats.notes).toEqual([`the output probabilities is left out: it ${fault}`]);
    const answer = await version.ask({ inputs: { X: [[0, 0, 0, 0]] }, outputs: ['probabilities'] });
    expect(answer.problems).toEqual([{ pointer: '/outputs/0', message: `${fault}; there are label` }]);
    expect((await version.ask({ inputs: { X: [[0, 0, 0, 0]] }, outputs: ['nothing'] })).problems).toEqual([
      { pointer: '/outputs/0', message: 'is not an output; there are label' },
    ]);
  });

  test('two of three quantiles have a note, but none in the task tensor', async () => {
    const bytes = caseOf('second-output-lost/quantiles.onnx');
    const manifest: Manifest = {
      task: 'regression',
      features: four.slice(0, 2),
      output: { value: 'p50_variable' },
    };
    expect(await notesOf(manifest, bytes)).toEqual(
      ['p10_variable', 'p90_variable'].map(
        (name) =>
          `the output ${name} is left out: output.value of metadata.json names the output that is served; ${all}`,
      ),
    );
    expect(await notesOf({ task: 'tensor' }, bytes)).toEqual([]);
  });

  test('an output that only repeats an input has no note', async () => {
    const bytes = caseOf('mlnet-passthrough-label/model.onnx');
    const features: Manifest['features'] = [
      { name: 'temperature', type: 'number' },
      { name: 'vibration', type: 'number' },
      { name: 'Label', type: 'boolean' },
    ];
    const output = { label: 'PredictedLabel.output', probabilities: 'Probability.output' };
    expect(await notesOf({ task: 'classification', features, output }, bytes)).toEqual([
      `the output Score.output is left out: it is a tensor of float32 [?, 1]; ${all}`,
    ]);
  });
});

describe('a label that contradicts the probabilities', () => {
  /** The probabilities are X [N, 2], and the label is the class with the lowest. */
  const least = model({
    inputs: [tensorValue('X', 'float32', ['N', 2])],
    outputs: [tensorValue('label', 'int64', ['N']), tensorValue('p', 'float32', ['N', 2])],
    nodes: [
      node('Add', ['X', 'zero'], ['p']),
      node('ArgMin', ['p'], ['label'], { axis: int(1), keepdims: int(0) }),
    ],
    initializers: [initializer('zero', 'float32', [1], [0])],
  });
  const shares = four.slice(0, 2).map((feature) => ({ ...feature, minimum: 0, maximum: 1 }));
  const manifest: Manifest = { task: 'classification', features: shares };
  const golden = {
    instances: [
      { a: 0.1, b: 0.9 },
      { a: 0.5, b: 0.5 },
      { a: 0.9, b: 0.1 },
    ],
    expected: [{ prediction: 0 }, { prediction: 0 }, { prediction: 1 }],
  };

  test('has a note with the share of the golden rows', async () => {
    expect(await notesOf(manifest, least, golden)).toEqual([
      'the label label is not the most probable class in 2 of 3 tried rows (67 %): if the label is not the prediction, name only "probabilities": "p" in output of metadata.json; if p holds no probabilities, name only "label": "label"',
    ]);
  });

  test('has a note with the share of the tried rows if there are no golden rows', async () => {
    const [a, b] = shares as [(typeof shares)[0], (typeof shares)[0]];
    const features = [
      { ...a, example: 0.25 },
      { ...b, example: 0.75 },
    ];
    const [note] = await notesOf({ ...manifest, features }, least);
    expect(note).toMatch(/in (\d+) of \1 tried rows \(100 %\)/);
  });

  test('has no note if the manifest names only one of them, or a threshold', async () => {
    const only = { ...golden, expected: [{ prediction: 1 }, { prediction: 0 }, { prediction: 0 }] };
    expect(await notesOf({ ...manifest, output: { probabilities: 'p' } }, least, only)).toEqual([]);
    expect(await notesOf({ ...manifest, output: { threshold: 0.6 } }, least, only)).toEqual([]);
    expect(await notesOf(manifest, binaryClassifier())).toEqual([]);
  });
});
