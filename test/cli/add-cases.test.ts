import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { useCliFolder } from '../helpers/cli.js';

/** Files that users have asked about. Each is added, and answers correctly or is refused with advice. */

const cli = useCliFolder('sardonyx-cases-');
const run = cli.run;

const add = (path: string, ...options: string[]) =>
  run('add', join('test/cases', path), '--name', 'm', '--version', '1', ...options);
const readManifest = async () =>
  JSON.parse(await readFile(join(cli.path, 'models/m/1/metadata.json'), 'utf8'));
const predict = async (body: unknown) => JSON.parse((await run('predict', 'm', JSON.stringify(body))).out);
const readCase = async (path: string) => JSON.parse(await readFile(join('test/cases', path), 'utf8'));
const notesIn = (out: string) => [...out.matchAll(/^note: (.*)$/gm)].map(([, note]) => note);
const example = { x0: 0, x1: 0, x2: 0, x3: 0 };

it('a CatBoost model with a ZipMap answers every row as in training', async () => {
  const { out } = await add('catboost-zipmap/model.onnx');
  expect(notesIn(out)).toContain(
    'the graph ends in a ZipMap: the input of the ZipMap is served as probabilities',
  );
  const { rows, label, probabilities } = await readCase('catboost-zipmap/truth.json');
  const golden = {
    instances: rows,
    expected: label.map((prediction: number, k: number) => ({
      prediction,
      probabilities: { 0: probabilities[k][0], 1: probabilities[k][1] },
    })),
  };
  const file = join(cli.path, 'golden.json');
  await writeFile(file, JSON.stringify(golden));
  const proved = await add('catboost-zipmap/model.onnx', '--name', 'n', '--golden', file);
  expect(proved.out).toContain(`${rows.length} golden rows pass`);
});

describe('an ML.NET model, whose outputs repeat its inputs', () => {
  it('the prediction is the computed output, not the repeated label', async () => {
    const { out } = await add('mlnet-passthrough-label/model.onnx');
    expect((await readManifest()).output).toEqual({
      label: 'PredictedLabel.output',
      probabilities: 'Probability.output',
      classes: [0, 1],
    });
    expect(notesIn(out)).toContain(
      'the outputs temperature.output, vibration.output, Label.output, Features.output only repeat inputs, so they are not proposed as prediction',
    );
    const { rows } = await readCase('mlnet-passthrough-label/rows.json');
    for (const row of rows.slice(0, 2)) {
      const { prediction, probabilities } = await predict(row);
      expect(prediction).toBe(probabilities['1'] > 0.5 ? 1 : 0);
      expect(await predict({ ...row, Label: !row.Label })).toMatchObject({ prediction });
    }
  });

  it('the user can choose another output as prediction', async () => {
    await add('mlnet-passthrough-label/model.onnx', '--task', 'regression', '--value', 'Score.output');
    expect((await readManifest()).output).toEqual({ value: 'Score.output' });
  });
});

describe('a model with several labels per row', () => {
  const advice =
    '--task regression --value probabilities --names probabilities0,probabilities1,probabilities2';
  it.each(['multilabel/ovr.onnx', 'multilabel/mlp.onnx'])(
    '%s is refused, and is served with the advised options',
    async (path) => {
      for (const options of [[], ['--task', 'classification']]) {
        const { code, err } = await add(path, ...options);
        expect(code).toBe(1);
        expect(err).toContain('the output probabilities has 3 columns a row, each for a label of its own');
        expect(err).toContain(`with ${advice} for one named number a label`);
      }
      expect((await add(path, ...advice.split(' '))).code).toBe(0);
      const { prediction } = await predict(example);
      expect(Object.keys(prediction)).toEqual(['probabilities0', 'probabilities1', 'probabilities2']);
      expect((await add(path, '--version', '2', '--task', 'tensor')).code).toBe(0);
      const { outputs } = await predict({ inputs: { X: [[0, 0, 0, 0]] } });
      expect(Object.values(prediction)).toEqual(outputs.probabilities[0]);
    },
  );
});

describe('an output that is left out', () => {
  it('a sequence has a note in add and in check', async () => {
    const note =
      'the output probabilities is left out: it is a sequence of float32, which cannot be served: export its content as separate tensor outputs';
    const { out } = await add('multioutput-sequence/model.onnx');
    expect(notesIn(out)).toEqual([note]);
    expect(out).toContain('label has 2 columns a row, so it holds several labels');
    expect((await run('check')).out).toContain(`note: m/1: ${note}`);
    const report = JSON.parse((await run('check', '--json')).out);
    expect(report.models[0].versions[0].notes).toEqual([note]);
  });

  it('none of three quantiles is chosen without a message', async () => {
    const path = 'second-output-lost/quantiles.onnx';
    expect((await add(path, '--task', 'regression')).err).toBe(
      'sardonyx: several outputs can be the value: p10_variable (made by TreeEnsembleRegressor), p50_variable (made by TreeEnsembleRegressor), p90_variable (made by TreeEnsembleRegressor); choose one with --value NAME, or serve them all with --task tensor\n',
    );
    const { out } = await add(path, '--value', 'p50_variable');
    expect(notesIn(out).filter((note) => note?.includes('is left out'))).toHaveLength(2);
    expect((await add(path, '--version', '2')).out).toContain(
      'nothing says which of the outputs is the prediction',
    );
    const { outputs } = await predict({ inputs: { p10_X: [[0, 0]] } });
    expect(Object.keys(outputs)).toEqual(['p10_variable', 'p50_variable', 'p90_variable']);
  });
});

it('an AdaBoost model serves the probabilities that its operators compute', async () => {
  const { out } = await add('adaboost-probabilities/model.onnx');
  expect(notesIn(out).filter((note) => note?.includes('left out'))).toEqual([]);
  const { probabilities } = await predict(example);
  expect(Object.keys(probabilities)).toEqual(['high', 'low', 'mid']);
});

it('two columns that are declared as one get two names, which --names can replace', async () => {
  const { out } = await add('two-columns-declared-as-one/model.onnx');
  expect(notesIn(out)).toContain(
    'a run gives 2 columns of variable, although the graph declares another number',
  );
  expect((await readManifest()).output).toEqual({ value: 'variable', names: ['variable0', 'variable1'] });
  await add('two-columns-declared-as-one/model.onnx', '--version', '2', '--names', 'height,weight');
  expect(Object.keys((await predict(example)).prediction)).toEqual(['height', 'weight']);
});

it('the feature has the name of an only input with one column', async () => {
  await add('lone-input-loses-its-name/model.onnx');
  expect(await predict({ s: 'text' })).toMatchObject({ prediction: expect.any(Number) });
});

describe('a model that would be served wrongly is not added', () => {
  it('with scores that are named as probabilities', async () => {
    const { code, err } = await add(
      'second-output-lost/iforest.onnx',
      ...['--label', 'label', '--probabilities', 'scores'],
    );
    expect(err).toMatch(/the label label is none of the classes 0, 1 in [1-9]\d* of \d+ tried rows/);
    expect(code).toBe(1);
  });

  it('with features that are the names of inputs in another order', async () => {
    const { code, err } = await add('int-division-overflow/model.onnx', '--features', 'b,a');
    expect(err).toContain(
      '--features would fill the input a with b, which is the name of another input: give the names in the order of the graph, a, b',
    );
    expect(code).toBe(1);
  });
});
