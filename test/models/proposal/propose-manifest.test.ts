import { describe, expect, it } from 'vitest';
import { readServedGraph } from '../../../src/inference/onnx/served-graph.js';
import { nextVersion } from '../../../src/models/proposal/next-version.js';
import { type ProposalRequest, proposeManifest } from '../../../src/models/proposal/propose-manifest.js';
import {
  type Encoded,
  floats,
  initializer,
  int,
  ints,
  type ModelSource,
  model,
  node,
  sequenceOfMapsValue,
  string,
  strings,
  tensorValue,
} from '../../helpers/onnx.js';

const request = { name: 'm', version: '1', timestamp: '2026-11-23T00:00:00Z' };

function propose(source: ModelSource, more: Partial<ProposalRequest> = {}) {
  const bytes = model(source);
  return proposeManifest(readServedGraph(bytes).graph, bytes, { ...request, ...more });
}

const X = tensorValue('X', 'float32', ['N', 2]);
const LABEL = tensorValue('label', 'int64', ['N']);
const matrix = (name: string, columns?: number) => tensorValue(name, 'float32', ['N', columns]);
const classifier = (
  operator: string,
  attributes: Record<string, Encoded<'attribute'>>,
  outputs = ['label', 'scores'],
) => node(`ai.onnx.ml:${operator}`, ['X'], outputs, { classlabels_ints: ints([0, 1, 2]), ...attributes });

describe('graphs of exporters', () => {
  it('a linear SVC: an output named probabilities that holds scores is not proposed', () => {
    const { manifest } = propose({
      inputs: [X],
      outputs: [LABEL, matrix('probabilities', 3)],
      nodes: [classifier('LinearClassifier', { post_transform: string('NONE') }, ['label', 'probabilities'])],
    });
    expect(manifest.output).toEqual({ label: 'label', classes: [0, 1, 2] });
  });

  it('an SVC that was trained with probabilities: the label and the probabilities are proposed', () => {
    const svm = classifier('SVMClassifier', {
      post_transform: string('NONE'),
      prob_a: floats([1]),
      prob_b: floats([0]),
    });
    const source = {
      inputs: [X],
      outputs: [LABEL, matrix('probabilities', 3)],
      nodes: [svm, node('Cast', ['scores'], ['probabilities'], { to: int(1) })],
    };
    expect(propose(source).manifest.output).toEqual({
      label: 'label',
      probabilities: 'probabilities',
      classes: [0, 1, 2],
    });
  });

  it('k-means: only the label is proposed, without classes', () => {
    const nodes = [
      node('ArgMin', ['X'], ['label'], { axis: int(1), keepdims: int(0) }),
      node('Sqrt', ['X'], ['scores']),
    ];
    const { manifest, taskReason } = propose({ inputs: [X], outputs: [LABEL, matrix('scores', 2)], nodes });
    expect(manifest).toMatchObject({ task: 'classification', output: { label: 'label' } });
    expect(manifest.output).not.toHaveProperty('classes');
    expect(taskReason).toBe('the output label is a label made by ArgMin');
  });

  it('LightGBM: the operator is found behind a cast and a product', () => {
    const nodes = [
      classifier('TreeEnsembleClassifier', { post_transform: string('SOFTMAX') }, ['l', 'p']),
      node('Identity', ['p'], ['q']),
      node('Mul', ['q', 'one'], ['probabilities']),
      node('Cast', ['l'], ['label'], { to: int(7) }),
    ];
    const source = {
      inputs: [X],
      outputs: [LABEL, matrix('probabilities', 3)],
      nodes,
      initializers: [initializer('one', 'float32', [1], [1])],
    };
    expect(propose(source).manifest.output).toEqual({
      label: 'label',
      probabilities: 'probabilities',
      classes: [0, 1, 2],
    });
  });

  it.each([
    ['texts', initializer('classes', 'string', [2], ['no', 'yes']), 'string', ['no', 'yes']],
    ['whole numbers', initializer('classes', 'int32', [2], [3, 7]), 'int64', [3, 7]],
  ] as const)(
    'a label that is looked up in a list: the classes are the list of %s',
    (_kind, classes, type, expected) => {
      const nodes = [
        node('Softmax', ['X'], ['probabilities'], { axis: int(1) }),
        node('ArgMax', ['X'], ['place'], { axis: int(1) }),
        node('ai.onnx.ml:ArrayFeatureExtractor', ['classes', 'place'], ['found']),
        node('Reshape', ['found', 'shape'], ['label']),
      ];
      const source = {
        inputs: [X],
        outputs: [tensorValue('label', type, ['N']), matrix('probabilities')],
        nodes,
        initializers: [classes, initializer('shape', 'int64', [1], [-1n])],
      };
      expect(propose(source).manifest.output).toEqual({
        label: 'label',
        probabilities: 'probabilities',
        classes: expected,
      });
    },
  );

  it('a network: logits are found by name, or by their layer if classes are given', () => {
    const network = (output: string, columns: number) => ({
      inputs: [X],
      outputs: [matrix(output, columns)],
      nodes: [node('Gemm', ['X', 'W'], [output])],
      initializers: [initializer('W', 'float32', [2, columns], new Array(2 * columns).fill(1))],
    });
    expect(propose(network('logits', 3)).manifest.output).toMatchObject({
      probabilities: 'logits',
      activation: 'softmax',
    });
    expect(propose(network('output', 1), { classes: ['a', 'b'] }).manifest.output).toEqual({
      probabilities: 'output',
      classes: ['a', 'b'],
      activation: 'sigmoid',
    });
    expect(propose(network('output', 1)).manifest.task).toBe('regression');
    expect(propose(network('output', 3)).manifest.task).toBe('tensor');
    expect(propose(network('output', 3), { task: 'regression' }).manifest.output?.names).toHaveLength(3);
  });

  it('one-versus-rest: the classes are those of the whole, not of its parts', () => {
    const part = node('ai.onnx.ml:LinearClassifier', ['X'], ['l0', 'p0'], {
      classlabels_ints: ints([0, 1]),
      post_transform: string('LOGISTIC'),
    });
    const nodes = [
      part,
      node('Concat', ['p0', 'p0'], ['probabilities'], { axis: int(1) }),
      node('ArgMax', ['probabilities'], ['place'], { axis: int(1), keepdims: int(0) }),
      node('ai.onnx.ml:ArrayFeatureExtractor', ['classes', 'place'], ['label']),
    ];
    const source = {
      inputs: [X],
      outputs: [LABEL, matrix('probabilities', 3)],
      nodes,
      initializers: [initializer('classes', 'int64', [3], [1n, 2n, 3n])],
    };
    expect(propose(source).manifest.output?.classes).toEqual([1, 2, 3]);
  });

  it('a label of 1 and 2 is left out if classes with other names are given', () => {
    const attributes = { classlabels_ints: ints([1, 2]), post_transform: string('LOGISTIC') };
    const source = {
      inputs: [X],
      outputs: [LABEL, matrix('probabilities', 2)],
      nodes: [classifier('LinearClassifier', attributes, ['label', 'probabilities'])],
    };
    expect(propose(source, { classes: ['no', 'yes'] }).manifest.output).toEqual({
      probabilities: 'probabilities',
      classes: ['no', 'yes'],
    });
  });
});

describe('the choice of the output', () => {
  const softmaxes = (...names: readonly string[]): ModelSource => ({
    inputs: [X],
    outputs: names.map((name) => matrix(name, 2)),
    nodes: names.map((name) => node('Softmax', ['X'], [name])),
  });

  it('the operator decides over a name', () => {
    const source = {
      inputs: [X],
      outputs: [
        tensorValue('class_weight', 'int64', ['N']),
        tensorValue('y', 'int64', ['N']),
        matrix('p', 2),
      ],
      nodes: [
        node('Softmax', ['X'], ['p']),
        node('ArgMax', ['p'], ['y'], { axis: int(1), keepdims: int(0) }),
        node('Size', ['p'], ['class_weight']),
      ],
    };
    expect(propose(source).manifest.output).toMatchObject({ label: 'y', probabilities: 'p' });
  });

  it('the name decides between two outputs of equal operators, and a note names the other', () => {
    const { manifest, notes } = propose(softmaxes('attention', 'probabilities'));
    expect(manifest.output).toMatchObject({ probabilities: 'probabilities' });
    expect(notes).toContain(
      'probabilities is taken as the probabilities because of its name, although attention is possible too: --probabilities NAME chooses another output',
    );
  });

  it('the user must choose between two equal outputs', () => {
    expect(() => propose(softmaxes('left', 'right'))).toThrow(
      'several outputs can be the probabilities: left (made by Softmax), right (made by Softmax); choose one with --probabilities NAME, or serve them all with --task tensor',
    );
    const chosen = propose(softmaxes('left', 'right'), { outputs: { probabilities: 'right' } });
    expect(chosen.manifest.output).toMatchObject({ probabilities: 'right' });
    const given = propose(softmaxes('left', 'right'), { given: { output: { probabilities: 'left' } } });
    expect(given.manifest.output).toMatchObject({ probabilities: 'left' });
  });

  it('the user must choose between two labels', () => {
    const labels = ['a', 'b'].map((name) => tensorValue(name, 'int64', ['N']));
    const nodes = ['a', 'b'].map((name) => node('ArgMax', ['X'], [name], { axis: int(1), keepdims: int(0) }));
    expect(() => propose({ inputs: [X], outputs: labels, nodes })).toThrow('choose one with --label NAME');
    const source = { inputs: [X], outputs: labels, nodes };
    expect(propose(source, { outputs: { label: 'b' } }).manifest.output).toEqual({ label: 'b' });
  });

  it('the output of the only regressor is the value in a graph of ML.NET', () => {
    const trees = node('ai.onnx.ml:LinearRegressor', ['all'], ['Score.output'], {
      coefficients: floats([1, 2]),
    });
    const source = {
      inputs: [X],
      outputs: [matrix('X.output', 2), matrix('Features.output', 2), matrix('Score.output', 1)],
      nodes: [
        node('Identity', ['X'], ['X.output']),
        node('Mul', ['X', 'X'], ['all']),
        node('Identity', ['all'], ['Features.output']),
        trees,
      ],
    };
    const { manifest, taskReason } = propose(source);
    expect(manifest).toMatchObject({ task: 'regression', output: { value: 'Score.output' } });
    expect(taskReason).toBe('the output Score.output is a number made by LinearRegressor');
  });

  it('in a multiclass graph of ML.NET the repeated label is not proposed, and the classes are those of the last lookup', () => {
    const keys = (names: readonly string[]) => ({
      keys_int64s: ints(names.map((_, k) => k + 1)),
      values_strings: strings(names),
    });
    const source = {
      inputs: [X, tensorValue('Label', 'string', ['N', 1])],
      outputs: [
        tensorValue('Label.output', 'uint32', ['N', 1]),
        matrix('Features.output', 2),
        tensorValue('PredictedLabel.output', 'string', ['N', 1]),
        matrix('Score.output', 3),
      ],
      nodes: [
        node('ai.onnx.ml:LabelEncoder', ['Label'], ['key'], {
          keys_strings: strings(['a', 'b', 'c']),
          values_int64s: ints([1, 2, 3]),
        }),
        node('Cast', ['key'], ['Label.output'], { to: int(12) }),
        node('Identity', ['X'], ['Features.output']),
        node('MatMul', ['X', 'W'], ['raw']),
        node('Softmax', ['raw'], ['Score.output'], { axis: int(1) }),
        node('ArgMax', ['raw'], ['place'], { axis: int(1) }),
        node('Add', ['place', 'one'], ['found']),
        node('ai.onnx.ml:LabelEncoder', ['found'], ['PredictedLabel.output'], keys(['c', 'a', 'b'])),
      ],
      initializers: [
        initializer('W', 'float32', [2, 3], [1, 2, 3, 4, 5, 6]),
        initializer('one', 'int64', [1], [1n]),
      ],
    };
    const { manifest, notes } = propose(source);
    expect(manifest.output).toEqual({
      label: 'PredictedLabel.output',
      probabilities: 'Score.output',
      classes: ['c', 'a', 'b'],
    });
    expect(notes).toContain(
      'the outputs Label.output, Features.output only repeat inputs, so they are not proposed as prediction',
    );
  });

  it('a label is a position if the ZipMap has other class names than the classifier', () => {
    const attributes = { classlabels_ints: ints([0, 1]), post_transform: string('LOGISTIC') };
    const source = (keys: readonly number[], labels: readonly number[]) => ({
      inputs: [X],
      outputs: [LABEL, sequenceOfMapsValue('p', 'int64', 'float32')],
      nodes: [
        classifier('LinearClassifier', { ...attributes, classlabels_ints: ints(labels) }),
        node('ai.onnx.ml:ZipMap', ['scores'], ['p'], { classlabels_int64s: ints(keys) }),
      ],
    });
    expect(propose(source([10, 20], [0, 1])).manifest.output).toEqual({
      label: 'label',
      probabilities: 'p',
      classes: [10, 20],
      labelIs: 'position',
    });
    expect(propose(source([10, 20], [3, 4])).manifest.output).toEqual({
      probabilities: 'p',
      classes: [10, 20],
    });
  });
});

describe('the proposed features', () => {
  it('take the name of an only column from the input or from the golden rows', () => {
    const source = {
      inputs: [tensorValue('s', 'float32', ['N', 1])],
      outputs: [tensorValue('variable', 'float32', ['N', 1])],
      nodes: [node('Neg', ['s'], ['variable'])],
    };
    expect(propose(source).manifest.features).toEqual([{ name: 's', type: 'number' }]);
    expect(propose(source, { instances: [{ age: 3 }] }).manifest.features).toEqual([
      { name: 'age', type: 'number', example: 3 },
    ]);
  });

  it('take the names and the order of the golden rows', () => {
    const source = {
      inputs: [X],
      outputs: [tensorValue('variable', 'float32', ['N', 1])],
      nodes: [node('Identity', ['X'], ['variable'])],
    };
    const instances = [
      { age: 1, income: null },
      { age: 2, income: 3 },
    ];
    expect(propose(source, { instances }).manifest.features).toEqual([
      { name: 'age', type: 'number', example: 1 },
      { name: 'income', type: 'number', example: 3, nullable: true },
    ]);
  });

  const identity = (inputs: ModelSource['inputs'], more: Partial<ModelSource> = {}): ModelSource => ({
    inputs: inputs ?? [],
    outputs: [tensorValue('variable', 'float32', ['N', 1])],
    nodes: [node('Identity', ['X'], ['variable'])],
    ...more,
  });

  it.each([
    ['["age","income"]', ['age', 'income']],
    ["['age', 'income']", ['age', 'income']],
    ['age, income', ['age', 'income']],
    ['age', ['x0', 'x1']],
    ['age,age', ['x0', 'x1']],
  ])('take the names in the metadata if their number fits: %s', (text, names) => {
    const { manifest } = propose(identity([X], { metadata: { feature_names: text } }));
    expect(manifest.features?.map((it) => (typeof it === 'string' ? it : it.name))).toEqual(names);
  });

  it('list which features fill which input if there are several matrices', () => {
    const { manifest } = propose(identity([X, tensorValue('R', 'string', ['N', 1])]), {
      features: ['a', 'b', 'c'],
    });
    expect(manifest.inputs).toEqual({ X: ['a', 'b'], R: ['c'] });
    expect(manifest.features).toMatchObject([
      { type: 'number' },
      { type: 'number' },
      { name: 'c', type: 'string' },
    ]);
  });

  it('have the width of the scaler if the width of the input is open; without a scaler --features is required', () => {
    const scaler = node('ai.onnx.ml:Scaler', ['X'], ['variable'], {
      offset: floats([1, 2, 3]),
      scale: floats([1, 1, 1]),
    });
    expect(propose(identity([matrix('X')], { nodes: [scaler] })).manifest.features).toHaveLength(3);
    const trees = classifier('TreeEnsembleClassifier', {}, ['label', 'p']);
    expect(() => propose({ inputs: [matrix('X')], outputs: [LABEL], nodes: [trees] })).toThrow(
      'name its columns with --features',
    );
    expect(propose(identity([matrix('X')])).manifest.task).toBe('tensor');
  });

  it('list the categories of an encoder that fails on other texts', () => {
    const encoder = (zeros: number) =>
      node('ai.onnx.ml:OneHotEncoder', ['X'], ['variable'], {
        cats_strings: strings(['b', 'a']),
        zeros: int(zeros),
      });
    const text = [tensorValue('X', 'string', ['N', 1])];
    expect(propose(identity(text, { nodes: [encoder(0)] })).manifest.features).toMatchObject([
      { enum: ['b', 'a'], example: 'b' },
    ]);
    const [feature] = propose(identity(text, { nodes: [encoder(1)] })).manifest.features ?? [];
    expect(feature).toMatchObject({ example: 'b' });
    expect(feature).not.toHaveProperty('enum');
  });
});

describe('the next version', () => {
  const now = new Date('2026-01-02T03:04:05.678Z');
  it.each([
    [[], '20260102_030405'],
    [['20250101_000000'], '20260102_030405'],
    [['final'], '20260102_030405'],
    [['20260102_030405', '20260102_030406'], '20260102_030407'],
    [['1', '10', '9'], '11'],
    [['99999999999999999999'], '100000000000000000000'],
    [['v1', 'v9', 'v10', 'v1-final'], 'v11'],
    [['v009'], 'v10'],
    [['final', 'final2'], '20260102_030405'],
    [['v1.2.0'], '20260102_030405'],
    [['1.2.3', '1.10.0'], '1.10.1'],
    [['1.2.0', '1.3.0-rc.1'], '1.3.0'],
  ])('after %j is %s', (existing, expected) => {
    expect(nextVersion(existing, now)).toBe(expected);
  });
});
