import { describe, expect, test } from 'vitest';
import { loadOne, type Manifest, refusalOf } from '../../helpers/one-version.js';
import { type ElementType, initializer, int, model, node, tensorValue } from '../../helpers/onnx.js';
import {
  bigInt64,
  binaryClassifier,
  columnVector,
  echo,
  fixedBatch,
  infOut,
  labelOnly,
  linearRegression,
  logits,
  multiclass,
  nanAt,
  oneColumn,
  probabilitiesOnly,
  twoOutputs,
  zipMap,
} from '../../helpers/onnx-models.js';

type Output = NonNullable<Manifest['output']>;
const names = (count: number) => Array.from({ length: count }, (_, k) => `x${k}`);
const row = (...values: readonly unknown[]) => Object.fromEntries(values.map((value, k) => [`x${k}`, value]));
/** The model returns the last `shares` features as probabilities, so they range from 0 to 1. */
const classification = (count: number, output?: Output, shares = 0): Manifest => ({
  task: 'classification',
  features: names(count).map((name, k) => ({
    name,
    type: 'number',
    ...(k >= count - shares && { minimum: 0, maximum: 1 }),
  })),
  ...(output && { output }),
});
const regression = (count: number, output?: Output): Manifest => ({
  ...classification(count, output),
  task: 'regression',
});

/** Loads a model for one answer. */
async function ask(manifest: Manifest, bytes: Uint8Array, body: unknown) {
  using version = await loadOne(manifest, bytes);
  return await version.ask(body);
}

/** A graph whose outputs are casts of columns of X [N, k], so that a test chooses what the model answers. */
function columns(...outputs: readonly [name: string, type: ElementType, from: number, to: number][]) {
  const width = Math.max(...outputs.map(([, , , to]) => to));
  const codes = { float32: 1, int64: 7, bool: 9, float16: 10, float64: 11 } as Record<string, number>;
  return model({
    inputs: [tensorValue('X', 'float32', ['N', width])],
    outputs: outputs.map(([name, type, from, to]) => tensorValue(name, type, ['N', to - from])),
    initializers: outputs.flatMap(([name, , from, to]) => [
      initializer(`${name}From`, 'int64', [1], [from]),
      initializer(`${name}To`, 'int64', [1], [to]),
      initializer(`${name}Axis`, 'int64', [1], [1]),
    ]),
    nodes: outputs.flatMap(([name, type]) => [
      node('Slice', ['X', `${name}From`, `${name}To`, `${name}Axis`], [`${name}Part`]),
      node('Cast', [`${name}Part`], [name], { to: int(codes[type] as number) }),
    ]),
  });
}

const labelled = columns(['label', 'int64', 0, 1], ['p', 'float32', 1, 3]);
const three = columns(['label', 'int64', 0, 1], ['p', 'float32', 1, 4]);
const truth = columns(['label', 'bool', 0, 1], ['p', 'float32', 1, 3]);

describe('outputs that the manifest does not name', () => {
  test('label and probabilities are found, and the classes are 0 and 1', async () => {
    // scipy 1.17.1: expit(1) and expit(-1) as float32
    expect(await ask(classification(2), binaryClassifier(), row(0.5, 0.5))).toEqual({
      code: 'ok',
      prediction: 1,
      probability: expect.closeTo(0.7310585786, 6),
      probabilities: { 0: expect.closeTo(0.2689414214, 6), 1: expect.closeTo(0.7310585786, 6) },
    });
  });

  test('a label alone gives an answer without probabilities', async () => {
    expect(await ask(classification(2), labelOnly(), row(1, 1))).toEqual({ code: 'ok', prediction: 1 });
  });

  test('probabilities alone predict the most probable class, the first of equals', async () => {
    const answer = await ask(classification(2), probabilitiesOnly(), row(0, 0));
    expect(answer).toMatchObject({ prediction: 0, probability: 0.5 });
    expect(await ask(classification(2), probabilitiesOnly(), row(0, 0.01))).toMatchObject({ prediction: 1 });
  });

  test('text labels are found, with the classes of the manifest', async () => {
    const classes = { classes: ['red', 'green', 'blue'] };
    const answer = await ask(classification(3, classes), multiclass(), row(0, 3, 0));
    expect(answer['prediction']).toBe('green');
    expect(Object.keys(answer['probabilities'])).toEqual(classes.classes);
  });

  test('the tensor beside a ZipMap is found', async () => {
    expect(await ask(classification(2), zipMap({ tensor: true }), row(1, 1))).toMatchObject({
      prediction: 1,
    });
  });

  test('a value is found in shape [N] and in shape [N, 1]', async () => {
    const source: Manifest = {
      task: 'regression',
      features: ['a', 'b'].map((name) => ({ name, type: 'number' })),
    };
    expect(await ask(source, columnVector(), { a: 1, b: 2 })).toEqual({ code: 'ok', prediction: 3 });
    expect(await ask(regression(2), linearRegression([1, 2], 3), row(1, 2))).toEqual({
      code: 'ok',
      prediction: 8,
    });
  });
});

describe('the meaning of a label', () => {
  test.each<[string, Output, Uint8Array, readonly number[], unknown]>([
    ['integers are the classes themselves', { classes: [3, 7] }, labelled, [7, 0.1, 0.9], 7],
    [
      'integers are positions with labelIs',
      { classes: [3, 7], labelIs: 'position' },
      labelled,
      [1, 0.1, 0.9],
      7,
    ],
    ['integers are positions of text', { classes: ['no', 'yes'] }, labelled, [1, 0.1, 0.9], 'yes'],
    ['integers are positions of booleans', { classes: [true, false] }, labelled, [1, 0.9, 0.1], false],
    ['booleans are the classes themselves', { classes: [true, false] }, truth, [1, 0.1, 0.9], true],
    ['booleans are positions of text', { classes: ['no', 'yes'] }, truth, [1, 0.1, 0.9], 'yes'],
    ['a label goes before a more probable class', { classes: [3, 7] }, labelled, [3, 0.4, 0.6], 3],
    ['a threshold goes before the label', { classes: [0, 1], threshold: 0.3 }, labelled, [0, 0.65, 0.35], 1],
    [
      'a threshold goes before a label that is no class',
      { classes: [0, 1], threshold: 0.5 },
      labelled,
      [9, 0.9, 0.1],
      0,
    ],
    [
      'a manifest that names only the probabilities uses no label',
      { probabilities: 'p' },
      labelled,
      [0, 0.4, 0.6],
      1,
    ],
    [
      'a manifest that names only the label uses no probabilities',
      { label: 'label' },
      labelled,
      [5, 0.4, 0.6],
      5,
    ],
  ])('%s', async (_, output, bytes, values, prediction) => {
    const answer = await ask(classification(3, output, 2), bytes, row(...values));
    expect(answer).toMatchObject({ code: 'ok', prediction });
    if (answer['probabilities'] !== undefined) {
      expect(answer['probability']).toBe(answer['probabilities'][String(prediction)]);
    }
  });

  test.each<[string, Output, Uint8Array, readonly number[]]>([
    ['a class that is not listed', { classes: [3, 7] }, labelled, [5, 0.1, 0.9]],
    ['a position beyond the classes', { classes: ['a', 'b'] }, labelled, [2, 0.1, 0.9]],
    ['a negative position', { classes: ['a', 'b'] }, labelled, [-1, 0.1, 0.9]],
  ])('%s fails the run', async (_, output, bytes, values) => {
    expect(await ask(classification(3, output, 2), bytes, row(...values))).toMatchObject({
      code: 'run_failed',
    });
  });

  test('a label beyond 2^53 is refused, not rounded', async () => {
    const source: Manifest = {
      task: 'classification',
      features: [{ name: 'x', type: 'integer' }],
      output: { label: 'value' },
    };
    expect(await ask(source, bigInt64(), { x: 8_192 })).toMatchObject({ code: 'output_not_exact' });
    expect(await ask(source, bigInt64(), { x: 2 })).toMatchObject({ prediction: 2 ** 41 });
  });
});

describe('probabilities', () => {
  // numpy 2.4.6: float(np.float32(0.3)) is 0.30000001192092896, float(np.float16(0.3)) 0.300048828125: both are
  // above 0.3, so a threshold compared as a double would accept values below the model's own 0.3.
  test.each<[ElementType, number]>([
    ['float32', 0.30000001192092896],
    ['float16', 0.300048828125],
    ['float64', Math.fround(0.3)],
  ])('a threshold accepts an equal number of %s, and not the next smaller one', async (type, shown) => {
    const bytes = columns(['p', type, 0, 2]);
    const source = classification(2, { threshold: 0.3 }, 2);
    expect(await ask(source, bytes, row(0.7, 0.3))).toMatchObject({
      prediction: 1,
      probability: type === 'float32' ? 0.3 : shown,
    });
    expect(await ask(source, bytes, row(0.7, type === 'float16' ? 0.2998 : 0.29999998))).toMatchObject({
      prediction: 0,
    });
  });

  test.each([false, true])('one column is the probability of the second class (flat: %s)', async (flat) => {
    using version = await loadOne(classification(1, { classes: ['no', 'yes'] }), oneColumn({ flat }));
    expect(await version.ask(row(0))).toMatchObject({
      prediction: 'no',
      probabilities: { no: 0.5, yes: 0.5 },
    });
    const answer = await version.ask(row(1));
    expect(answer).toMatchObject({ prediction: 'yes' });
    expect(answer['probabilities'].no + answer['probabilities'].yes).toBeCloseTo(1, 7);
    // Rows that share a run keep their own probabilities.
    const many = await Promise.all([-2, -1, 1, 2].map((x) => version.ask(row(x))));
    expect(many.map((it) => it['prediction'])).toEqual(['no', 'no', 'yes', 'yes']);
  });

  test('huge logits do not overflow', async () => {
    const softmax = { activation: 'softmax', classes: ['a', 'b', 'c'] } as const;
    expect(
      await ask(classification(3, { ...softmax, classes: ['a', 'b', 'c'] }), logits(3), row(3e38, -3e38, 0)),
    ).toEqual({
      code: 'ok',
      prediction: 'a',
      probability: 1,
      probabilities: { a: 1, b: 0, c: 0 },
    });
    const sigmoid = classification(1, { probabilities: 'logits', activation: 'sigmoid' });
    expect(await ask(sigmoid, logits(1), row(3e38))).toMatchObject({ prediction: 1, probability: 1 });
    expect(await ask(sigmoid, logits(1), row(-3e38))).toMatchObject({ prediction: 0, probability: 1 });
  });

  test('a probability that is not finite fails the answer, and the detail names the output', async () => {
    const output: Output = { probabilities: 'value', activation: 'sigmoid' };
    const answer = await ask(classification(1, output), nanAt(), row(-1));
    expect(answer).toMatchObject({
      code: 'output_not_finite',
      detail: expect.stringContaining('The output value is not a number'),
    });
  });

  test('a class with a name that every object inherits is an ordinary key', async () => {
    const source = classification(2, { probabilities: 'p', classes: ['__proto__', 'constructor'] }, 2);
    using version = await loadOne(source, columns(['p', 'float32', 0, 2]));
    const answer = await version.ask(row(0.25, 0.75));
    expect(answer['prediction']).toBe('constructor');
    expect(Object.entries(answer['probabilities'])).toEqual([
      ['__proto__', 0.25],
      ['constructor', 0.75],
    ]);
  });
});

describe('the value of a regression', () => {
  test('several columns with names give an object', async () => {
    const source = regression(2, { names: ['sum', 'difference'] });
    expect(await ask(source, twoOutputs(), row(5, 3))).toEqual({
      code: 'ok',
      prediction: { sum: 8, difference: 2 },
    });
  });

  test.each<[string, number, readonly number[]]>([
    ['1', 1, [1, 2, 3]],
    ['4', 4, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
  ])(
    'in runs fixed at %s rows each row gets its own value, whatever the number of gathered rows',
    async (_, rows, xs) => {
      using version = await loadOne(regression(2), fixedBatch(rows));
      const answers = await Promise.all(xs.map((x) => version.ask(row(x, 100))));
      expect(answers.map((it) => it['prediction'])).toEqual(xs.map((x) => x + 100));
    },
  );

  test.each([0, -0])(
    'an infinite value fails the answer, and the detail names the output (%d)',
    async (x) => {
      expect(await ask(regression(1), infOut(), row(x))).toMatchObject({
        code: 'output_not_finite',
        detail: 'The output value is infinite for this input.',
      });
    },
  );

  test.each<[ElementType, number]>([
    ['float64', 0.1],
    ['float16', 0.0999755859375],
    ['int8', -5],
    ['uint64', 2 ** 53 - 1],
  ])('a number of %s is returned unchanged', async (type, value) => {
    expect(await ask(regression(1), echo(type), row(value))).toEqual({ code: 'ok', prediction: value });
  });
});

describe('a refusal names the outputs of the graph:', () => {
  const two = columns(['a', 'float32', 0, 2], ['b', 'float32', 0, 2]);
  const labels = columns(['a', 'int64', 0, 1], ['b', 'int64', 1, 2]);
  const values = columns(['a', 'float32', 0, 1], ['b', 'float32', 1, 2]);
  test.each<[string, Manifest, Uint8Array, string]>([
    [
      'two outputs that can be probabilities',
      classification(2),
      two,
      "several of the graph's outputs can be the probabilities: a, b; name one in output.probabilities",
    ],
    [
      'two outputs that can be labels',
      classification(2),
      labels,
      "several of the graph's outputs can be the label: a, b; name one in output.label",
    ],
    [
      'two outputs that can be values',
      regression(2),
      values,
      "several of the graph's outputs can be the value: a, b; name one in output.value",
    ],
    [
      'an absent label',
      classification(2, { label: 'lable' }),
      two,
      '/output names lable, but the graph has a (float32 [N, 2]), b (float32 [N, 2])',
    ],
    [
      'an absent value',
      regression(2, { value: 'y' }),
      values,
      '/output names y, but the graph has a (float32 [N, 1]), b (float32 [N, 1])',
    ],
    [
      'probabilities of integers',
      classification(2, { probabilities: 'a' }),
      labels,
      'the output a is not a tensor of floats: a (int64 [N, 1]), b (int64 [N, 1])',
    ],
    [
      'a value of text',
      { task: 'regression', features: [{ name: 'x', type: 'boolean' }] },
      echo('bool'),
      "none of the graph's outputs can be the value: variable (bool [N, 1]); name one in output.value",
    ],
    [
      'a ZipMap that is the input of another node',
      classification(2),
      zipMap({ used: true }),
      'model.onnx: the maps of the ZipMap "output_probability" go into the operator SequenceLength, but they can be served only as an output of the graph: export without ZipMap, with options={id(model): {\'zipmap\': False}} in skl2onnx or zipmap=False in onnxmltools',
    ],
    [
      'fewer classes than columns',
      classification(3, { probabilities: 'p', classes: ['a', 'b'] }),
      columns(['p', 'float32', 0, 3]),
      'the output p has 3 columns a row, and there are 2 classes',
    ],
    [
      'more classes than columns',
      classification(4, { classes: [0, 1, 2, 3], label: 'label', probabilities: 'p' }),
      three,
      'the output p has 3 columns a row, and there are 4 classes',
    ],
    [
      'a threshold for three classes',
      classification(4, { threshold: 0.5 }),
      three,
      '/output/threshold needs two classes',
    ],
    [
      'a threshold without probabilities',
      classification(2, { label: 'label', threshold: 0.5 }),
      labelOnly(),
      '/output/threshold needs probabilities',
    ],
    [
      'an activation without probabilities',
      classification(2, { label: 'label', activation: 'softmax' }),
      labelOnly(),
      '/output/activation needs probabilities',
    ],
    [
      'labelIs without a label',
      classification(2, { probabilities: 'probabilities', labelIs: 'position' }),
      binaryClassifier(),
      '/output/labelIs needs a label',
    ],
    [
      'a sigmoid of two columns',
      classification(2, { activation: 'sigmoid' }),
      logits(2),
      'sigmoid needs one column, logits has 2',
    ],
    [
      'a softmax of one column',
      classification(1, { activation: 'softmax' }),
      logits(1),
      'softmax needs two columns or more, logits has one',
    ],
    [
      'text labels and no classes',
      classification(3),
      multiclass(),
      "the label label is a tensor of string and the classes are numbers: list the label's values in output.classes",
    ],
    [
      'a label of two columns',
      classification(2, { label: 'a' }),
      columns(['a', 'int64', 0, 2]),
      'the output a has 2 columns a row, each for a label of its own, and a classification cannot have several labels at once: set "task": "regression", "output": {"value": "a", "names": ["a0","a1"]} in metadata.json for one named number a label, or "task": "tensor" for all outputs unchanged',
    ],
    [
      'two columns and no names',
      regression(2),
      twoOutputs(),
      'the output variable has 2 columns a row: name them in metadata.json, "output": {"names":["variable0","variable1"]}',
    ],
    [
      'more names than columns',
      regression(2, { names: ['a', 'b', 'c'] }),
      twoOutputs(),
      'the output variable has 2 columns a row: /output/names has 3',
    ],
  ])('%s', async (_, manifest, bytes, message) => {
    expect(await refusalOf(manifest, bytes)).toBe(message);
  });

  test('an output that mixes its rows', async () => {
    const square = model({
      inputs: [tensorValue('X', 'float32', ['N', 1])],
      outputs: [tensorValue('p', 'float32', ['N', 'M'])],
      nodes: [node('Transpose', ['X'], ['Xt']), node('MatMul', ['X', 'Xt'], ['p'])],
    });
    expect(await refusalOf(classification(1, { classes: [0, 1] }), square)).toContain(
      'each row must have the same number of elements',
    );
    const sum = model({
      inputs: [tensorValue('X', 'float32', ['N', 1])],
      outputs: [tensorValue('y', 'float32', [1])],
      nodes: [node('ReduceMax', ['X'], ['y'], { keepdims: int(0) })],
    });
    expect(await refusalOf(regression(1), sum)).toBe(
      'the output y has dims [] for 2 rows: each row must have the same number of elements',
    );
  });
});

test('a label of ArgMax is the position of a class, whatever integers the classes are', async () => {
  const largest = model({
    inputs: [tensorValue('X', 'float32', ['N', 3])],
    outputs: [tensorValue('label', 'int64', ['N'])],
    nodes: [
      node('ArgMax', ['X'], ['place'], { axis: int(1), keepdims: int(0) }),
      node('Cast', ['place'], ['label'], { to: int(7) }),
    ],
  });
  using version = await loadOne(classification(3, { classes: [10, 20, 30] }), largest);
  const answers = [row(1, 0, 0), row(0, 1, 0), row(0, 0, 1)].map(
    async (it) => (await version.ask(it))['prediction'],
  );
  expect(await Promise.all(answers)).toEqual([10, 20, 30]);
});
