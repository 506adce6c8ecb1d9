import { describe, expect, test } from 'vitest';
import { type Company, findCompanyFault } from '../../../src/models/warm-up/company.js';
import { answerBody, loadOne, refusalOf } from '../../helpers/one-version.js';
import { initializer, int, model, node, tensorValue } from '../../helpers/onnx.js';
import {
  centredInDisguise,
  centredOnRun,
  dynamicallyQuantized,
  linearRegression,
  network,
  randomNoise,
  trainingDropout,
  trainingNormalization,
} from '../../helpers/onnx-models.js';

const numbers = (names: string) => [...names].map((name) => ({ name, type: 'number' as const }));
const regression = { task: 'regression' as const, features: numbers('abc') };
const tensor = { task: 'tensor' } as const;

const rows = Array.from({ length: 40 }, (_unused, k) => ({
  a: Math.sin(k) * (k + 1),
  b: Math.cos(k),
  c: k % 7,
}));

describe('a version with features whose rows depend on each other', () => {
  test.each([
    ['dynamic quantization', dynamicallyQuantized(), /DynamicQuantizeLinear.*quantize statically/],
    ['a mean over the rows', centredOnRun(), /ReduceMean works along the first axis/],
    [
      'a mean over the rows, transposed',
      centredInDisguise(),
      /variable differs by .* % in a run of \d+ rows/,
    ],
  ])(
    'through %s runs one row at a time, so that answers alone and in parallel are equal',
    async (_what, model, reason) => {
      using version = await loadOne(regression, model);
      const alone: unknown[] = [];
      for (const row of rows) alone.push((await version.ask(row))['prediction']);
      const together = await Promise.all(rows.map((row) => version.ask(row)));
      expect(together.map((it) => it['prediction'])).toEqual(alone);
      expect(version.loaded.loadStats).toMatchObject({
        batchRows: 1,
        batchReason: expect.stringMatching(reason),
      });
      expect(version.loaded.loadStats.batchDifference).toBeGreaterThan(1e-3);
    },
  );
});

describe('rows that do not depend on each other', () => {
  test('rows of several requests share a run', async () => {
    using version = await loadOne(regression, linearRegression([1, 2, 3]));
    const answers = await Promise.all(rows.map((row) => answerBody(version.loaded, row)));
    expect(Math.max(...answers.map(({ timing }) => timing?.batchRows ?? 0))).toBe(40);
    expect(version.loaded.loadStats.batchReason).toBe(undefined);
  });

  test('rows share a run even if the engine adds in another order for many rows', async () => {
    using version = await loadOne({ ...regression, features: numbers('abcd') }, network(4, 256));
    expect(version.loaded.loadStats).toMatchObject({ batchRows: 256 });
    expect(version.loaded.loadStats.batchReason).toBe(undefined);
  });
});

describe('probabilities of a run', () => {
  const tensorOf = (values: readonly number[]) =>
    ({ type: 'float32', dims: [values.length / 2, 2], data: Float32Array.from(values) }) as const;
  const alone = [
    [1e-5, 0.99999],
    [2e-5, 0.99998],
  ];
  const companyOf = (offset: number): Company => ({
    alone: alone.map((it) => ({ p: tensorOf(it) })),
    maxRows: 4,
    run: async (samples) => ({
      p: tensorOf(samples.flatMap((k) => [(alone[k]?.[0] ?? 0) + offset, alone[k]?.[1] ?? 0])),
    }),
    rowsOf: (samples) => samples,
    ordinary: 2,
    isCut: false,
  });

  test('may differ by the rounding of all of them, which is much for a small one', async () => {
    // 0.3 % of the smallest probability, half of the last digit of the largest.
    expect(await findCompanyFault(companyOf(3e-8))).toBe(undefined);
  });

  test('may not differ by more', async () => {
    expect(await findCompanyFault(companyOf(1e-5))).toMatchObject({ output: 'p' });
  });
});

describe('rows that depend on each other in a way that is hard to see', () => {
  test('a graph that pads texts to the longest text of the run gets one row per run', async () => {
    const words = model({
      inputs: [tensorValue('text', 'string', ['N'])],
      outputs: [tensorValue('variable', 'int64', ['N'])],
      nodes: [node('StringSplit', ['text'], ['words', 'variable'])],
      opset: 20,
    });
    const features = [{ name: 'text', type: 'string' as const }];
    using version = await loadOne({ task: 'regression', features, output: { value: 'variable' } }, words);
    expect(version.loaded.loadStats).toMatchObject({
      batchRows: 1,
      batchReason: expect.stringMatching(/StringSplit gives each row as many columns as the longest/),
    });
  });

  test('a graph in which other rows change a small part of the answer gets one row per run', async () => {
    // 2000 × X plus the softmax of X over the rows of the run, which a transposition hides.
    const share = model({
      inputs: [tensorValue('X', 'float32', ['N', 1])],
      outputs: [tensorValue('variable', 'float32', ['N', 1])],
      initializers: [initializer('thousand', 'float32', [1], [2_000])],
      nodes: [
        node('Transpose', ['X'], ['turned']),
        node('Softmax', ['turned'], ['shares'], { axis: int(1) }),
        node('Transpose', ['shares'], ['back']),
        node('Mul', ['X', 'thousand'], ['large']),
        node('Add', ['large', 'back'], ['variable']),
      ],
    });
    using version = await loadOne({ task: 'regression', features: numbers('X') }, share);
    expect(version.loaded.loadStats.batchRows).toBe(1);
  });

  test('requests run alone if the rows are the second dimension of an output', async () => {
    const turned = model({
      inputs: [tensorValue('X', 'float32', ['N', 1])],
      outputs: [tensorValue('variable', 'float32')],
      nodes: [node('Transpose', ['X'], ['variable'])],
    });
    using version = await loadOne({ task: 'tensor' }, turned);
    expect(version.loaded.loadStats.batchRows).toBe(1);
    const answers = await Promise.all([1, 2, 3].map((x) => version.ask({ inputs: { X: [[x]] } })));
    expect(answers.map(({ outputs }) => outputs.variable)).toEqual([[[1]], [[2]], [[3]]]);
  });
});

describe('a graph whose answer to the same row changes', () => {
  const names = { ...regression, output: { value: 'variable', names: ['u', 'v', 'w'] } };
  const tensors = { task: 'tensor' as const };
  test.each([
    [
      'BatchNormalization in training mode',
      names,
      trainingNormalization(),
      /BatchNormalization runs in training.*"training_mode"/,
    ],
    ['Dropout in training mode', names, trainingDropout(), /Dropout runs in training mode.*"training_mode"/],
    ['Dropout in training mode, of tensors', tensors, trainingDropout(), /Dropout runs in training mode/],
    ['a draw of numbers', regression, randomNoise(), /RandomNormalLike draws new numbers.*"randomness"/],
  ] as const)('because of %s is refused with advice', async (_what, manifest, model, reason) => {
    expect(await refusalOf(manifest, model)).toMatch(reason);
  });

  test.each([
    ['training_mode', names, trainingNormalization()],
    ['training_mode', names, trainingDropout()],
    ['randomness', regression, randomNoise()],
  ] as const)('is served but not cached if the manifest allows %s', async (allow, manifest, model) => {
    using version = await loadOne({ ...manifest, allow: [allow] }, model);
    expect(version.loaded.isCacheable).toBe(false);
    expect(version.loaded.loadStats.batchRows).toBe(1);
    expect((await version.ask(rows[3])).code).toBe('ok');
  });
});

describe('requests with tensors', () => {
  const requests = Array.from({ length: 24 }, (_unused, k) => ({
    inputs: { X: Array.from({ length: 1 + (k % 3) }, (_row, r) => [k, r, Math.sin(k), -1]) },
  }));

  test('several requests share a run, and each gets its own rows', async () => {
    using version = await loadOne(tensor, network(2, 64));
    const alone: unknown[] = [];
    for (const request of requests) alone.push((await version.ask(request))['outputs'].variable);
    const answers = await Promise.all(requests.map((request) => answerBody(version.loaded, request)));
    expect(Math.max(...answers.map(({ timing }) => timing?.batchRows ?? 0))).toBeGreaterThan(8);
    for (const [k, { fieldsJson: members }] of answers.entries()) {
      const { variable } = JSON.parse(`{${members}}`).outputs;
      expect(variable).toHaveLength((alone[k] as unknown[]).length);
      for (const [row, [value]] of variable.entries()) {
        expect(value).toBeCloseTo((alone[k] as number[][])[row]?.[0] as number, 4);
      }
    }
  });

  test('a request with more rows than a run may have is cut, and its outputs are joined', async () => {
    using version = await loadOne(tensor, network(2, 64));
    const { batchRows } = version.loaded.loadStats;
    const X = Array.from({ length: 3 * batchRows + 1 }, (_unused, k) => [k % 11, k % 7, k % 5, k % 3]);
    const { variable } = (await version.ask({ inputs: { X } }))['outputs'];
    expect(variable).toHaveLength(X.length);
    for (const k of [0, batchRows, 2 * batchRows - 1, X.length - 1]) {
      const [[alone]] = (await version.ask({ inputs: { X: [X[k]] } }))['outputs'].variable;
      expect(variable[k][0]).toBeCloseTo(alone, 4);
    }
  });

  test('requests run alone, with the reason, if the rows of the graph depend on each other', async () => {
    using version = await loadOne(tensor, centredInDisguise());
    const { loadStats, executorKind } = version.loaded;
    expect(loadStats).toMatchObject({
      batchRows: 1,
      batchReason: expect.stringMatching(/changes with the other rows/),
    });
    // A request may have any number of rows, which one run must take.
    expect(executorKind).toBe('isolated');
    const answers = await Promise.all(
      [1, 2, 3].map((k) => answerBody(version.loaded, { inputs: { X: [[k, k, k]] } })),
    );
    expect(answers.map(({ timing }) => timing?.batchRows)).toEqual([1, 1, 1]);
    expect(answers.map(({ fieldsJson: members }) => members)).toEqual(
      new Array(3).fill('"outputs":{"variable":[[0]]}'),
    );
  });
});
