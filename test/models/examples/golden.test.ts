import { describe, expect, test } from 'vitest';
import { loadOne, type Manifest, refusalOf } from '../../helpers/one-version.js';
import {
  binaryClassifier,
  echo,
  labelOnly,
  linearRegression,
  nanAt,
  twoOutputs,
} from '../../helpers/onnx-models.js';

const classification: Manifest = {
  task: 'classification',
  features: ['a', 'b'].map((name) => ({ name, type: 'number' })),
};
const regression: Manifest = { ...classification, task: 'regression' };
const sum = linearRegression([1, 1]);
const row = { a: 1, b: 2 };
const check = (manifest: Manifest, model: Uint8Array, golden: unknown) => refusalOf(manifest, model, golden);
const one = (expected: unknown, more: object = {}) => ({ instances: [row], expected: [expected], ...more });

test('expected may hold a whole answer, as a client received it', async () => {
  using version = await loadOne(classification, binaryClassifier());
  const { code: _, ...answer } = await version.ask(row);
  const pasted = { ...answer, model: 'm', model_version: '1', prediction_id: 'x' };
  expect(await check(classification, binaryClassifier(), one(pasted))).toBe('');
});

describe('the refusal names the row and the value that differs', () => {
  const fails = (fault: string) =>
    `1 of 1 golden rows fail (row 0: ${fault}): the model does not answer as in training`;
  test.each<[string, Manifest, Uint8Array, unknown, string]>([
    ['a class', classification, binaryClassifier(), { prediction: 0 }, '/prediction is 1, not 0'],
    [
      'a class of another type',
      classification,
      binaryClassifier(),
      { prediction: '1' },
      '/prediction is 1, not "1"',
    ],
    [
      'a probability',
      classification,
      binaryClassifier(),
      { prediction: 1, probability: 0.5 },
      '/probability is 0.95257…, not 0.5',
    ],
    [
      'one of the probabilities',
      classification,
      binaryClassifier(),
      { prediction: 1, probabilities: { 0: 0.0474259, 1: 0.95 } },
      '/probabilities/1 is 0.95257…, not 0.95',
    ],
    [
      'the probability of a class that does not exist',
      classification,
      binaryClassifier(),
      { prediction: 1, probabilities: { 2: 0 } },
      '/probabilities/2 is undefined, not 0',
    ],
    [
      'a probability of a label alone',
      classification,
      labelOnly(),
      { prediction: 1, probability: 1 },
      '/probability is undefined, not 1',
    ],
    ['a value', regression, sum, { prediction: 3.1 }, '/prediction is 3, not 3.1'],
    [
      'a named value',
      { ...regression, output: { names: ['s', 'd'] } },
      twoOutputs(),
      { prediction: { s: 3, d: 1 } },
      '/prediction/d is -1, not 1',
    ],
    [
      'outputs in a regression',
      regression,
      sum,
      { outputs: { y: 3 } },
      '/outputs is undefined, not an object',
    ],
  ])('%s', async (_, manifest, model, expected, fault) => {
    const message = await check(manifest, model, one(expected));
    // scipy 1.17.1: expit(3) is 0.9525741268224334; the engine's last digits are the processor's.
    expect(message.replace(/0\.95257\d+/, '0.95257…')).toBe(fails(fault));
  });

  test('a number passes within tolerance × max(1, |expected|), a class only if it is equal', async () => {
    expect(await check(regression, sum, one({ prediction: 3.00002 }))).toBe('');
    expect(await check(regression, sum, one({ prediction: 3.00004 }))).not.toBe('');
    expect(await check(regression, sum, one({ prediction: 3.00002 }, { tolerance: 0 }))).not.toBe('');
    const ids: Manifest = {
      task: 'classification',
      features: [{ name: 'x', type: 'integer' }],
      output: { label: 'variable' },
    };
    const golden = { instances: [{ x: 10_000_001 }], expected: [{ prediction: 10_000_002 }] };
    expect(await check(ids, echo('int64'), golden)).toContain('/prediction is 10000001, not 10000002');
  });

  test('a tensor that differs is refused with the element', async () => {
    const golden = (Y: unknown) => ({
      instances: [{ inputs: { X: [[1, 2]] } }],
      expected: [{ outputs: { variable: Y } }],
    });
    const model = echo('float32', ['N', 2]);
    expect(await check({ task: 'tensor' }, model, golden([[1, 2]]))).toBe('');
    expect(await check({ task: 'tensor' }, model, golden([[1, 3]]))).toContain(
      '/outputs/variable/0/1 is 2, not 3',
    );
    expect(await check({ task: 'tensor' }, model, golden([[1]]))).toContain(
      '/outputs/variable/0 has 2 elements, not 1',
    );
  });

  test('a row without an answer is refused with the reason, and only the first three rows are listed', async () => {
    const bad = { instances: [{ a: 'x' }], expected: [{ prediction: 1 }] };
    expect(await check(regression, sum, bad)).toContain('row 0: /a must be a number, got "x"');
    const log: Manifest = { task: 'regression', features: [{ name: 'x', type: 'number', example: 1 }] };
    const nan = {
      instances: [-1, 1, -2, -3, -4].map((x) => ({ x })),
      expected: [0, 0, 0, 0, 0].map((prediction) => ({ prediction })),
    };
    const message = await check(log, nanAt(), nan);
    expect(message).toMatch(/^4 of 5 golden rows fail \(row 0: .*NaN.*; row 2: .*; row 3: /);
    expect(message).not.toContain('row 4');
  });
});

describe('an invalid golden.json is refused with the reason', () => {
  test.each<[string, unknown, string]>([
    [
      'a misspelt key',
      one({ predicton: 1 }),
      'golden.json: /expected/0/predicton is not a known key; did you mean prediction?',
    ],
    ['nothing expected', one({ probability: 1 }), 'golden.json: /expected/0 needs "prediction" or "outputs"'],
    [
      'a probability as text',
      one({ prediction: 1, probability: '0.9' }),
      'golden.json: /expected/0/probability must be a number, got "0.9"',
    ],
    [
      'probabilities as a list',
      one({ prediction: 1, probabilities: [0.1, 0.9] }),
      'golden.json: /expected/0/probabilities must be an object, got an array',
    ],
    ['a bare answer', one(1), 'golden.json: /expected/0 must be an object, got 1'],
    [
      'no rows',
      { instances: [], expected: [] },
      'golden.json: /instances must not be empty; /expected must not be empty',
    ],
    [
      'fewer answers than rows',
      { instances: [row, row], expected: [{ prediction: 3 }] },
      'golden.json has 2 instances and 1 expected',
    ],
    [
      'an unknown key',
      one({ prediction: 3 }, { tolerence: 1 }),
      'golden.json: /tolerence is not a known key; did you mean tolerance?',
    ],
    ['a list', [row], 'golden.json: / must be an object, got an array'],
  ])('%s', async (_, golden, message) => {
    expect(await check(regression, sum, golden)).toBe(message);
  });
});
