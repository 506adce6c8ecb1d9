import { describe, expect, test } from 'vitest';
import { readGraph } from '../../../src/inference/onnx/read-graph.js';
import { fromFloat16 } from '../../../src/inference/tensors/float16.js';
import {
  type ElementType,
  elementTypes,
  isFloatType,
  type Tensor,
} from '../../../src/inference/tensors/tensor.js';
import { bindInputs } from '../../../src/models/binding/bind-inputs.js';
import { createEncoder } from '../../../src/models/features/encode.js';
import type { Feature, Manifest } from '../../../src/models/manifest/manifest.js';
import {
  columnVector,
  echo,
  fixedBatch,
  grouped,
  perColumn,
  unknownRank,
} from '../../helpers/onnx-models.js';

const manifest = (features: readonly Feature[], inputs?: Manifest['inputs']): Manifest => ({
  name: 'm',
  version: '1',
  task: 'regression',
  sha256: {},
  features,
  ...(inputs && { inputs }),
});
const numbers = (...names: string[]) => names.map((name): Feature => ({ name, type: 'number' }));

/** The encoded rows: each tensor with its elements as plain values. */
function encode(model: Uint8Array, source: Manifest, rows: readonly Record<string, unknown>[]) {
  const { inputs, fixedRows } = bindInputs(source, readGraph(model));
  const tensors = createEncoder(inputs, fixedRows)(rows);
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { type, dims, data }]: [string, Tensor]) => [
      name,
      { type, dims, data: Array.from(data as ArrayLike<unknown>, (it) => plain(it, type)) },
    ]),
  );
}

const plain = (element: unknown, type: ElementType) =>
  type === 'float16'
    ? fromFloat16(element as number)
    : typeof element === 'bigint'
      ? Number(element)
      : element;

/** One value of a feature, encoded in a tensor of this type. */
const encodeOne = (feature: Omit<Feature, 'name'>, type: ElementType, value?: unknown): unknown =>
  encode(echo(type), manifest([{ name: 'f', ...feature }]), [value === undefined ? {} : { f: value }])['X']
    ?.data[0];

const refusal = (model: Uint8Array, source: Manifest): string => {
  try {
    bindInputs(source, readGraph(model));
  } catch (error) {
    return (error as Error).message;
  }
  return '';
};

const numeric = elementTypes.filter((type) => type !== 'string' && type !== 'bool');
const floats = numeric.filter(isFloatType);
const integers = numeric.filter((type) => !isFloatType(type));

describe('encoding a value', () => {
  test.each(numeric)('in %s: numbers, booleans, positions and codes become numbers', (type) => {
    expect(encodeOne({ type: 'number' }, type, 7)).toBe(7);
    expect(encodeOne({ type: 'integer' }, type, 7)).toBe(7);
    expect(encodeOne({ type: 'boolean' }, type, true)).toBe(1);
    expect(encodeOne({ type: 'boolean' }, type, false)).toBe(0);
    const region: Omit<Feature, 'name'> = { type: 'string', enum: ['north', 'south'] };
    expect(encodeOne(region, type, 'south')).toBe(1);
    expect(encodeOne({ ...region, codes: { north: 3, south: 7 } }, type, 'south')).toBe(7);
    expect(encodeOne({ type: 'string', codes: { north: 3, south: 7 } }, type, 'north')).toBe(3);
  });

  test.each(numeric)('in %s: `missing` replaces null and an absent feature', (type) => {
    const feature: Omit<Feature, 'name'> = { type: 'number', nullable: true, missing: 99 };
    expect(encodeOne(feature, type, null)).toBe(99);
    expect(encodeOne(feature, type)).toBe(99);
    expect(encodeOne({ ...feature, default: 5 }, type)).toBe(5);
    expect(encodeOne({ ...feature, default: 5 }, type, null)).toBe(99);
    expect(encodeOne({ ...feature, default: null }, type)).toBe(99);
    const region: Omit<Feature, 'name'> = { type: 'string', enum: ['a', 'b'], nullable: true };
    expect(encodeOne({ ...region, missing: 'b' }, type, null)).toBe(1);
    expect(encodeOne({ ...region, missing: 9 }, type, null)).toBe(9);
    expect(encodeOne({ type: 'boolean', nullable: true, missing: true }, type, null)).toBe(1);
  });

  test.each(floats)('in %s null is NaN', (type) => {
    expect(encodeOne({ type: 'number', nullable: true }, type, null)).toBeNaN();
    expect(encodeOne({ type: 'number', nullable: true }, type)).toBeNaN();
    expect(encodeOne({ type: 'number', nullable: true, default: 3 }, type, null)).toBeNaN();
    expect(encodeOne({ type: 'boolean', nullable: true }, type, null)).toBeNaN();
    expect(encodeOne({ type: 'string', enum: ['a'], nullable: true }, type, null)).toBeNaN();
  });

  test('a default is encoded like a value of its feature', () => {
    expect(encodeOne({ type: 'string', codes: { a: 4 }, default: 'a' }, 'int64')).toBe(4);
    expect(encodeOne({ type: 'boolean', default: true }, 'float32')).toBe(1);
    expect(encodeOne({ type: 'string', default: 'x' }, 'string')).toBe('x');
  });

  test('in a string tensor: text stays, null becomes `missing`, else the empty text', () => {
    expect(encodeOne({ type: 'string' }, 'string', 'é🙂')).toBe('é🙂');
    expect(encodeOne({ type: 'string', enum: ['a', 'b'] }, 'string', 'b')).toBe('b');
    expect(encodeOne({ type: 'string', nullable: true }, 'string', null)).toBe('');
    expect(encodeOne({ type: 'string', nullable: true, missing: 'none' }, 'string', null)).toBe('none');
  });

  test('in a bool tensor: a boolean becomes 1 or 0', () => {
    expect(encodeOne({ type: 'boolean' }, 'bool', true)).toBe(1);
    expect(encodeOne({ type: 'boolean', nullable: true, missing: true }, 'bool', null)).toBe(1);
  });

  test('the largest integers that JSON holds exactly are encoded unchanged', () => {
    expect(encodeOne({ type: 'integer' }, 'int64', Number.MIN_SAFE_INTEGER)).toBe(Number.MIN_SAFE_INTEGER);
    expect(encodeOne({ type: 'integer' }, 'uint64', Number.MAX_SAFE_INTEGER)).toBe(Number.MAX_SAFE_INTEGER);
    expect(encodeOne({ type: 'number' }, 'float32', 0.1)).toBe(Math.fround(0.1));
    // numpy 2.4.6: float(np.float16(0.1))
    expect(encodeOne({ type: 'number' }, 'float16', 0.1)).toBe(0.0999755859375);
  });
});

describe('filling columns with features', () => {
  test('a single input takes the features in the order of /features, or of /inputs', () => {
    const row = { a: 1, b: 2, c: 3 };
    expect(encode(echo('float32', ['N', 3]), manifest(numbers('a', 'b', 'c')), [row])['X']?.data).toEqual([
      1, 2, 3,
    ]);
    const turned = manifest(numbers('a', 'b', 'c'), { X: ['c', 'a', 'b'] });
    expect(encode(echo('float32', ['N', 3]), turned, [row, { ...row, c: 9 }])['X']).toEqual({
      type: 'float32',
      dims: [2, 3],
      data: [3, 1, 2, 9, 1, 2],
    });
  });

  test('several inputs take the groups of /inputs', () => {
    const source = manifest([...numbers('age', 'income'), { name: 'region', type: 'string' }], {
      X: ['age', 'income'],
      R: ['region'],
    });
    expect(encode(grouped(), source, [{ age: 1, income: 2, region: 'north' }])).toEqual({
      X: { type: 'float32', dims: [1, 2], data: [1, 2] },
      R: { type: 'string', dims: [1, 1], data: ['north'] },
    });
  });

  test('an input for each feature takes the feature of its name', () => {
    const source = manifest([
      { name: 'owner', type: 'boolean' },
      { name: 'region', type: 'string' },
      { name: 'income', type: 'number' },
      { name: 'age', type: 'integer' },
    ]);
    const row = { owner: true, region: 'south', income: 2.5, age: 42 };
    const tensors = encode(perColumn(), source, [row]);
    expect(Object.entries(tensors).map(([name, { data }]) => [name, data[0]])).toEqual([
      ['age', 42],
      ['income', 2.5],
      ['region', 'south'],
      ['owner', 1],
    ]);
  });

  test.each<[string, Uint8Array, number[]]>([
    ['[N] is a column', columnVector(), [2]],
    ['free in rows and columns', echo('float32', ['N', 'M']), [2, 2]],
    ['of no declared rank', unknownRank(), [2, 2]],
    ['with a dimension of 1 more', echo('float32', ['N', 2, 1]), [2, 2, 1]],
    ['with one dimension left open', echo('float32', ['N', 1, 'T']), [2, 1, 2]],
  ])('a shape %s', (_, model, dims) => {
    const tensors = encode(model, manifest(numbers('a', 'b')), [
      { a: 1, b: 2 },
      { a: 3, b: 4 },
    ]);
    expect(Object.values(tensors)[0]?.dims).toEqual(dims);
  });

  test('copies of the last row fill a fixed batch', () => {
    const tensors = encode(fixedBatch(4), manifest(numbers('a', 'b')), [
      { a: 1, b: 2 },
      { a: 3, b: 4 },
    ]);
    expect(tensors['X']).toEqual({ type: 'float32', dims: [4, 2], data: [1, 2, 3, 4, 3, 4, 3, 4] });
  });
});

describe('a manifest is refused that does not fit its graph:', () => {
  const one = (type: ElementType, feature: Omit<Feature, 'name'>) =>
    refusal(echo(type), manifest([{ name: 'f', ...feature }]));
  test.each<[string, string, string]>([
    [
      'too few features',
      refusal(echo('float32', ['N', 3]), manifest(numbers('a', 'b'))),
      'the input X has shape [N, 3], rows first, which 2 features cannot fill',
    ],
    [
      'too many features',
      refusal(echo('float32', ['N', 1]), manifest(numbers('a', 'b'))),
      'the input X has shape [N, 1], rows first, which 2 features cannot fill',
    ],
    [
      'two open dimensions',
      refusal(echo('float32', ['N', 'H', 'W']), manifest(numbers('a'))),
      'the input X has shape [N, H, W], rows first, which 1 feature cannot fill',
    ],
    [
      'a scalar',
      refusal(echo('float32', []), manifest(numbers('a'))),
      'the input X has shape [], rows first, which 1 feature cannot fill',
    ],
    [
      'an input that is not there',
      refusal(grouped(), manifest(numbers('a'), { Z: ['a'] })),
      '/inputs names Z, but the graph has X, R',
    ],
    [
      'an input without features',
      refusal(grouped(), manifest(numbers('a', 'b'), { X: ['a', 'b'] })),
      "no feature fills the graph's input R: list it in /inputs",
    ],
    [
      'several inputs without /inputs',
      refusal(grouped(), manifest(numbers('a', 'b', 'c'))),
      'the graph has the inputs X, R, which do not match the features: list in /inputs which features fill each input',
    ],
    [
      'a batch of no rows',
      refusal(echo('float32', [0, 1]), manifest(numbers('a'))),
      'the graph fixes its batch at 0 rows',
    ],
    [
      'a batch of a million rows',
      refusal(echo('float32', [1_000_000, 1]), manifest(numbers('a'))),
      'the graph fixes its batch at 1000000 rows, and at most 65536 are possible',
    ],
    [
      'a batch beyond any memory',
      refusal(echo('float32', [2 ** 40, 1]), manifest(numbers('a'))),
      'the input X has shape [1099511627776, 1], which is too large to be served',
    ],
    [
      'a tensor of another kind',
      refusal(echo('bfloat16' as ElementType, ['N', 1]), manifest(numbers('a'))),
      'X is a tensor of bfloat16, which cannot be served; tensors of float32, float64, float16, int8, uint8, int16, uint16, int32, uint32, int64, uint64, bool, string can',
    ],
    [
      'a number as text',
      one('string', { type: 'number' }),
      'the feature f cannot go into X (string): a number never goes into a string tensor',
    ],
    [
      'a boolean as text',
      one('string', { type: 'boolean' }),
      'the feature f cannot go into X (string): a boolean never goes into a string tensor',
    ],
    [
      'text as a number',
      one('float32', { type: 'string' }),
      'the feature f cannot go into X (float32): a string needs "enum" or "codes" to go into a numeric tensor',
    ],
    [
      'a number as a boolean',
      one('bool', { type: 'integer' }),
      'the feature f cannot go into X (bool): only a boolean goes into a bool tensor',
    ],
    [
      'text as a boolean',
      one('bool', { type: 'string', enum: ['a'] }),
      'the feature f cannot go into X (bool): only a boolean goes into a bool tensor',
    ],
    [
      'null in an integer',
      one('int64', { type: 'integer', nullable: true }),
      'the feature f cannot go into X (int64): a nullable feature needs "missing" here, the value that stands for null',
    ],
    [
      'null as a boolean',
      one('bool', { type: 'boolean', nullable: true }),
      'the feature f cannot go into X (bool): a nullable feature needs "missing" here, the value that stands for null',
    ],
    [
      'a default that does not fit',
      one('int8', { type: 'integer', default: 200 }),
      'the feature f cannot go into X (int8): the default 200 does not fit',
    ],
    [
      'bounds beyond the type',
      one('uint8', { type: 'integer', minimum: 300 }),
      'the feature f cannot go into X (uint8): no number within its bounds fits',
    ],
    [
      'bounds below the type',
      one('float32', { type: 'number', maximum: -1e39 }),
      'the feature f cannot go into X (float32): no number within its bounds fits',
    ],
    [
      'a code that does not fit',
      one('uint8', { type: 'string', codes: { a: -1 } }),
      'the code -1 of f does not fit uint8',
    ],
    [
      'a code with a fraction',
      one('int32', { type: 'string', codes: { a: 0.5 } }),
      'the code 0.5 of f does not fit int32',
    ],
    [
      'a missing of another type',
      one('float32', { type: 'number', missing: 'x' }),
      '"missing" of f, "x", does not fit float32',
    ],
    [
      'a missing too large',
      one('float16', { type: 'number', missing: 1e5 }),
      '"missing" of f, 100000, does not fit float16',
    ],
    [
      'a missing outside the categories',
      one('int64', { type: 'string', enum: ['a'], missing: 'b' }),
      '"missing" of f, "b", does not fit int64',
    ],
    [
      'a missing with NUL',
      one('string', { type: 'string', missing: 'a\0' }),
      '"missing" of f, "a\\u0000", does not fit string',
    ],
    [
      'a missing number as text',
      one('string', { type: 'string', missing: 5 }),
      '"missing" of f, 5, does not fit string',
    ],
  ])('%s', (_, message, expected) => {
    expect(message).toBe(expected);
  });

  test('inputs that fix different numbers of rows', async () => {
    const { model, node, tensorValue } = await import('../../helpers/onnx.js');
    const two = model({
      inputs: [tensorValue('a', 'float32', [1, 1]), tensorValue('b', 'float32', [4, 1])],
      outputs: [tensorValue('y', 'float32', [4, 1])],
      nodes: [node('Add', ['a', 'b'], ['y'])],
    });
    expect(refusal(two, manifest(numbers('a', 'b')))).toBe('the inputs fix different numbers of rows: 1, 4');
  });
});

test('a nullable feature in a tensor of integers needs `missing`', () => {
  for (const type of integers) {
    expect(refusal(echo(type), manifest([{ name: 'f', type: 'number', nullable: true }]))).toContain(
      '"missing"',
    );
  }
});
