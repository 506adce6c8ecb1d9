import { describe, expect, test } from 'vitest';
import { type ElementType, elementTypes } from '../../../src/inference/tensors/tensor.js';
import { loadOne, refusalOf } from '../../helpers/one-version.js';
import { initializer, model, node, tensorValue } from '../../helpers/onnx.js';
import { echo, infOut, sequenceOutput, unknownRank, zerosOfShape } from '../../helpers/onnx-models.js';

const tensor = { task: 'tensor' } as const;

/** Two values of each type as JSON, and their bytes, little-endian. */
const samples: Record<ElementType, { values: readonly unknown[]; bytes?: ArrayBufferView }> = {
  float32: { values: [0.1, -1.5], bytes: Float32Array.of(0.1, -1.5) },
  float64: { values: [0.1, 1e300], bytes: Float64Array.of(0.1, 1e300) },
  // numpy 2.4.6: np.float16([0.0999755859375, -65504]).view(np.uint16)
  float16: { values: [0.0999755859375, -65_504], bytes: Uint16Array.of(0x2e66, 0xfbff) },
  int8: { values: [-128, 127], bytes: Int8Array.of(-128, 127) },
  uint8: { values: [0, 255], bytes: Uint8Array.of(0, 255) },
  int16: { values: [-32_768, 32_767], bytes: Int16Array.of(-32_768, 32_767) },
  uint16: { values: [0, 65_535], bytes: Uint16Array.of(0, 65_535) },
  int32: { values: [-(2 ** 31), 2 ** 31 - 1], bytes: Int32Array.of(-(2 ** 31), 2 ** 31 - 1) },
  uint32: { values: [0, 2 ** 32 - 1], bytes: Uint32Array.of(0, 2 ** 32 - 1) },
  int64: {
    values: [-(2 ** 53) + 1, 2 ** 53 - 1],
    bytes: BigInt64Array.of(-(2n ** 53n) + 1n, 2n ** 53n - 1n),
  },
  uint64: { values: [0, 2 ** 53 - 1], bytes: BigUint64Array.of(0n, 2n ** 53n - 1n) },
  bool: { values: [true, false], bytes: Uint8Array.of(1, 0) },
  string: { values: ['é🙂', ''] },
};
const base64 = ({ buffer, byteOffset, byteLength }: ArrayBufferView) =>
  Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength).toString('base64');

describe.each(elementTypes)('a tensor of %s', (type) => {
  const { values, bytes } = samples[type];
  test('comes back from nested, flat and base64 data', async () => {
    using version = await loadOne(tensor, echo(type, ['N', 2]));
    const expected = { code: 'ok', outputs: { variable: [values, values] } };
    expect(await version.ask({ inputs: { X: [values, values] } })).toEqual(expected);
    expect(await version.ask({ inputs: { X: { shape: [2, 2], data: [...values, ...values] } } })).toEqual(
      expected,
    );
    const packed = await version.ask({
      inputs: { X: { shape: [1, 2], base64: bytes ? base64(bytes) : 'AA==' } },
    });
    if (bytes === undefined)
      expect(packed.problems?.[0]?.message).toBe('is not possible for strings; use "data"');
    else expect(packed).toEqual({ code: 'ok', outputs: { variable: [values] } });
  });

  test('is a bare value if it has no dimensions', async () => {
    using version = await loadOne(tensor, echo(type, []));
    const [value] = values;
    expect(await version.ask({ inputs: { X: value } })).toEqual({ code: 'ok', outputs: { variable: value } });
    expect(await version.ask({ inputs: { X: { shape: [], data: [value] } } })).toMatchObject({ code: 'ok' });
    expect((await version.ask({ inputs: { X: [value] } })).problems).toEqual([
      { pointer: '/inputs/X', message: 'must be a bare value, without dimensions' },
    ]);
  });

  test('has an example that the version answers', async () => {
    using version = await loadOne(tensor, echo(type, ['N', 3, 2]));
    expect((await version.ask(version.example)).code).toBe('ok');
  });
});

/** X → Y = 1 / X, and Z = X. */
const twoFaced = model({
  inputs: [tensorValue('X', 'float32', ['N'])],
  outputs: [tensorValue('Y', 'float32', ['N']), tensorValue('Z', 'float32', ['N'])],
  nodes: [node('Reciprocal', ['X'], ['Y']), node('Identity', ['X'], ['Z'])],
});

test('a request may choose outputs, and an output that it did not choose cannot fail the answer', async () => {
  using version = await loadOne(tensor, twoFaced);
  expect(await version.ask({ inputs: { X: [4] } })).toEqual({ code: 'ok', outputs: { Y: [0.25], Z: [4] } });
  expect(await version.ask({ inputs: { X: [0] }, outputs: ['Z'] })).toEqual({
    code: 'ok',
    outputs: { Z: [0] },
  });
  expect(await version.ask({ inputs: { X: [0] }, outputs: ['Z', 'Y'] })).toMatchObject({
    code: 'output_not_finite',
    detail: 'The output Y is infinite for this input.',
  });
  expect(await version.ask({ inputs: { X: [0] } })).toMatchObject({ code: 'output_not_finite' });
});

test('NaN and the infinities are accepted as bytes, and refused in an output', async () => {
  using version = await loadOne(tensor, echo('float32', ['N']));
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const body = { inputs: { X: { shape: [1], base64: base64(Float32Array.of(value)) } } };
    expect(await version.ask(body)).toMatchObject({ code: 'output_not_finite' });
  }
});

test('an output with an integer beyond 2^53 is refused, not rounded', async () => {
  const doubled = model({
    inputs: [tensorValue('X', 'int64', ['N'])],
    outputs: [tensorValue('Y', 'int64', ['N'])],
    nodes: [node('Add', ['X', 'X'], ['Y'])],
  });
  using version = await loadOne(tensor, doubled);
  expect(await version.ask({ inputs: { X: [2 ** 52 - 1] } })).toMatchObject({
    outputs: { Y: [2 ** 53 - 2] },
  });
  expect(await version.ask({ inputs: { X: [2 ** 52] } })).toMatchObject({
    code: 'output_not_exact',
    detail: 'The output Y holds an integer beyond ±(2^53 − 1), which JSON numbers cannot carry exactly.',
  });
});

describe('a faulty body is refused with the pointer of the fault', () => {
  const at = (pointer: string, message: string) => [{ pointer, message }];
  const X = (value: unknown) => ({ inputs: { X: value } });
  const shape32 = 'must be an array of at most 16 whole numbers from 0';
  test.each<[string, unknown, ReturnType<typeof at>]>([
    ['no object', [1], at('', 'must be an object with "inputs", got an array')],
    ['nothing', undefined, at('', 'must be an object with "inputs", got nothing')],
    ['no inputs', {}, at('/inputs', 'is required')],
    [
      'inputs that are no object',
      { inputs: [[1, 2]] },
      at(
        '/inputs',
        'is the form of the open inference protocol (KServe v2, Triton) and MLflow; here each tensor has the name of its input: {"inputs": {"X": […]}}',
      ),
    ],
    ['no X', { inputs: {} }, at('/inputs/X', 'is required')],
    [
      'an unknown key',
      { ...X([[1, 2]]), output: ['variable'] },
      at('/output', 'is not a key of this request; "inputs" and "outputs" are'),
    ],
    [
      'an unknown input',
      { inputs: { X: [[1, 2]], x: [[1, 2]] } },
      at('/inputs/x', 'is not an input; did you mean X?'),
    ],
    [
      'an unknown output',
      { ...X([[1, 2]]), outputs: ['y'] },
      at('/outputs/0', 'is not an output; there are variable'),
    ],
    [
      'an output twice',
      { ...X([[1, 2]]), outputs: ['variable', 'variable'] },
      at('/outputs/1', 'is listed twice'),
    ],
    [
      'no outputs',
      { ...X([[1, 2]]), outputs: [] },
      at('/outputs', 'must be an array of the names of outputs'),
    ],
    ['too few dimensions', X([1, 2]), at('/inputs/X', 'must have 2 dimensions: [N, 2], got 1')],
    ['too many dimensions', X([[[1, 2]]]), at('/inputs/X', 'must have 2 dimensions: [N, 2]')],
    ['too few columns', X([[1]]), at('/inputs/X', 'must be of size 2 along axis 1, got 1')],
    ['no rows', X([]), at('/inputs/X', 'must have at least one row')],
    [
      'ragged rows',
      X([[1, 2], [3]]),
      at('/inputs/X/1', 'must be an array of 2 like the first, got one of 1'),
    ],
    ['a number among rows', X([[1, 2], 3]), at('/inputs/X/1', 'must be an array of 2 like the first, got 3')],
    ['text', X([[1, '2']]), at('/inputs/X/0/1', 'must be a number, got "2"')],
    ['null', X([[1, null]]), at('/inputs/X/0/1', 'must be a number, got null')],
    [
      'too large a number',
      X([[1, 1e39]]),
      at('/inputs/X/0/1', 'must be a finite number that float32 holds, got 1e+39'),
    ],
    [
      'a shape without data',
      X({ shape: [1, 2] }),
      at('/inputs/X', 'must have "shape", and either "data" or "base64"'),
    ],
    [
      'data twice',
      X({ shape: [1, 2], data: [1, 2], base64: '' }),
      at('/inputs/X', 'must have "shape", and either "data" or "base64"'),
    ],
    ['data without a shape', X({ data: [1, 2] }), at('/inputs/X/shape', shape32)],
    ['a negative dimension', X({ shape: [-1, 2], data: [] }), at('/inputs/X/shape', shape32)],
    ['a dimension of 2^60', X({ shape: [2 ** 60, 2], data: [] }), at('/inputs/X/shape', shape32)],
    ['17 dimensions', X({ shape: new Array(17).fill(1), data: [1] }), at('/inputs/X/shape', shape32)],
    [
      'a shape unlike the data',
      X({ shape: [3, 2], data: [1, 2] }),
      at('/inputs/X/data', 'must have 6 elements for shape [3, 2], got 2'),
    ],
    [
      'nested flat data',
      X({ shape: [1, 2], data: [[1, 2]] }),
      at('/inputs/X/data', 'must have 2 elements for shape [1, 2], got 1'),
    ],
    [
      'data that is no array',
      X({ shape: [1, 2], data: 'AAAA' }),
      at('/inputs/X/data', 'must be a flat array, got "AAAA"'),
    ],
    [
      'text in flat data',
      X({ shape: [1, 2], data: [1, 'x'] }),
      at('/inputs/X/data/1', 'must be a number, got "x"'),
    ],
    [
      'another shape than the input',
      X({ shape: [2, 1], data: [1, 2] }),
      at('/inputs/X/shape', 'must be of size 2 along axis 1, got 1'),
    ],
    [
      'a key too many',
      X({ shape: [1, 2], data: [1, 2], dtype: 'float32' }),
      at('/inputs/X', 'must have "shape" and "data" or "base64", and nothing else; got "dtype"'),
    ],
    ['no base64', X({ shape: [1, 2], base64: 'ab-_' }), at('/inputs/X/base64', 'must be padded base64')],
    [
      'base64 without padding',
      X({ shape: [1, 2], base64: 'AAA' }),
      at('/inputs/X/base64', 'must be padded base64'),
    ],
    [
      'too few bytes',
      X({ shape: [1, 2], base64: 'AAAA' }),
      at('/inputs/X/base64', 'must hold 2 elements of 4 bytes, got 3 bytes'),
    ],
  ])('%s', async (_, body, problems) => {
    using version = await loadOne(tensor, echo('float32', ['N', 2]));
    expect(await version.ask(body)).toMatchObject({ code: 'invalid_input', problems });
  });

  test.each<[ElementType, unknown, string]>([
    [
      'int64',
      2 ** 53,
      'must be a whole number from -9007199254740991 to 9007199254740991, got 9007199254740992',
    ],
    ['uint64', -1, 'must be a whole number from 0 to 9007199254740991, got -1'],
    ['int8', 128, 'must be a whole number from -128 to 127, got 128'],
    ['int32', 1.5, 'must be a whole number from -2147483648 to 2147483647, got 1.5'],
    ['float16', 65_520, 'must be a finite number that float16 holds, got 65520'],
    ['bool', 1, 'must be true or false, got 1'],
    ['string', 1, 'must be a string, got 1'],
    ['string', 'a\0b', 'must not hold NUL or half a surrogate pair'],
    ['string', '\ud800', 'must not hold NUL or half a surrogate pair'],
  ])('a tensor of %s refuses %j', async (type, value, message) => {
    using version = await loadOne(tensor, echo(type, ['N']));
    expect((await version.ask(X([value]))).problems).toEqual(at('/inputs/X/0', message));
  });

  test.each<[ElementType, ArrayBufferView, string]>([
    ['bool', Uint8Array.of(2), 'must hold 0 and 1, got 2'],
    ['int64', BigInt64Array.of(2n ** 60n), 'must hold integers within ±(2^53 − 1), got 1152921504606846976'],
  ])('a tensor of %s refuses bytes out of its range', async (type, bytes, message) => {
    using version = await loadOne(tensor, echo(type, ['N']));
    const { problems } = await version.ask(X({ shape: [1], base64: base64(bytes) }));
    expect(problems).toEqual(at('/inputs/X/base64', message));
  });

  test('each tensor has a problem of its own, and inputs must agree in a common dimension', async () => {
    const sum = model({
      inputs: ['a', 'b', 'c'].map((name) => tensorValue(name, 'float32', ['N'])),
      outputs: [tensorValue('y', 'float32', ['N'])],
      nodes: [node('Sum', ['a', 'b', 'c'], ['y'])],
    });
    using version = await loadOne(tensor, sum);
    expect((await version.ask({ inputs: { a: [1, 2], b: [1], d: 0 } })).problems).toEqual([
      { pointer: '/inputs/b', message: 'must be of size 2 along axis 0, got 1' },
      { pointer: '/inputs/c', message: 'is required' },
      { pointer: '/inputs/d', message: 'is not an input; did you mean a or b or c?' },
    ]);
  });
});

describe('a small body that claims to be large', () => {
  test('a nested tensor whose first row promises 10^10 elements gets no memory for them', async () => {
    using version = await loadOne(tensor, echo('float64', ['N', 'M']));
    const first = new Array<number>(100_000).fill(0);
    const rows = [first, ...new Array<unknown>(99_999).fill(0)];
    expect((await version.ask({ inputs: { X: rows } })).problems).toEqual([
      { pointer: '/inputs/X/1', message: 'must be an array of 100000 like the first, got 0' },
    ]);
  });

  test.each([[[2 ** 32, 0]], [[2 ** 52, 0, 1]], [[1, 0, 2 ** 17]]])(
    'a tensor without elements and with shape %j is refused',
    async (shape) => {
      using version = await loadOne(tensor, echo('float32', ['N', 'K', 'L'].slice(0, shape.length)));
      expect((await version.ask({ inputs: { X: { shape, data: [] } } })).problems).toEqual([
        { pointer: '/inputs/X/shape', message: 'is too large for a tensor without elements' },
      ]);
    },
  );

  test('an open dimension of 0 is accepted if the graph can answer it', async () => {
    using version = await loadOne(tensor, echo('float32', ['N', 'K']));
    expect(await version.ask({ inputs: { X: [[], []] } })).toEqual({
      code: 'ok',
      outputs: { variable: [[], []] },
    });
  });

  test('an open dimension of 0 is refused if it ended the sandbox, and the version still answers', async () => {
    const top = model({
      inputs: [tensorValue('X', 'float32', ['N', 'K', 4]), tensorValue('B', 'float32', ['N', 'M'])],
      outputs: [tensorValue('Y', 'float32'), tensorValue('Z', 'float32')],
      initializers: [initializer('one', 'int64', [1], [1n])],
      nodes: [node('TopK', ['X', 'one'], ['Y', 'I']), node('Identity', ['B'], ['Z'])],
    });
    using version = await loadOne(tensor, top);
    const empty = { shape: [1, 0, 4], data: [] };
    expect((await version.ask({ inputs: { X: empty, B: [[1]] } })).problems).toEqual([
      {
        pointer: '/inputs/X/shape',
        message:
          'has no elements along axis 1, and this model gave no answer to such a tensor when it was tried: send at least one',
      },
    ]);
    expect(await version.ask({ inputs: { X: [[[1, 4, 2, 3]]], B: [[1]] } })).toMatchObject({ code: 'ok' });
  });

  test('a dimension of 0 is refused if the graph declares no dimensions', async () => {
    using version = await loadOne(tensor, unknownRank());
    expect((await version.ask({ inputs: { X: [[], []] } })).problems).toMatchObject([
      { pointer: '/inputs/X', message: expect.stringContaining('has no elements along axis 1') },
    ]);
  });
});

test('maxBatchRows limits the rows of a request', async () => {
  using version = await loadOne({ ...tensor, runtime: { maxBatchRows: 2 } }, echo('float32', ['N']));
  expect(await version.ask({ inputs: { X: [1, 2] } })).toMatchObject({ code: 'ok' });
  expect((await version.ask({ inputs: { X: [1, 2, 3] } })).problems).toEqual([
    { pointer: '/inputs/X', message: 'must have at most 2 rows, got 3' },
  ]);
});

test('an output that is not a tensor is left out, and a version without other outputs is refused', async () => {
  expect(await refusalOf(tensor, sequenceOutput())).toContain('no output of the graph is a tensor');
  expect(await refusalOf({ ...tensor, output: {} }, infOut())).toBe(
    'metadata.json: /output is not for the task tensor',
  );
});

describe('sizes that would fill the memory of the server', () => {
  test.each<[string, readonly number[]]>([
    ['no element in 10^9 arrays', [1e9, 0]],
    ['no element in arrays of arrays', [1e5, 1e5, 0]],
    ['one element in each of many arrays of arrays', [200_000, ...new Array<number>(12).fill(1)]],
  ])('an output of %s is too large', async (_name, dims) => {
    using version = await loadOne(tensor, zerosOfShape());
    expect(await version.ask({ inputs: { X: dims } })).toMatchObject({
      code: 'output_too_large',
      detail: expect.stringMatching(/as JSON .* arrays/),
    });
    expect(await version.ask({ inputs: { X: [2, 0] } })).toMatchObject({ outputs: { Y: [[], []] } });
  });

  test.each<[string, ElementType, readonly (number | string)[]]>([
    ['bytes', 'uint8', [1, 2 ** 27]],
    ['numbers beyond any memory', 'float32', [2 ** 31, 2 ** 31]],
    ['texts', 'string', [1, 2 ** 21]],
    ['arrays without elements', 'float32', ['N', 2 ** 30, 0]],
    ['arrays of arrays', 'uint8', [2 ** 19, 1, 1, 1, 1, 1]],
    ['dimensions', 'uint8', ['N', ...new Array<number>(16).fill(1)]],
  ])('a graph that fixes an input at too many %s is refused', async (_name, type, dims) => {
    expect(await refusalOf(tensor, echo(type, dims))).toMatch(
      /^the input X has shape \[.*\], which is too large to be served/,
    );
  });

  test('a graph whose input is a large image has an example that the version answers', async () => {
    using version = await loadOne(tensor, echo('float32', [1, 3, 700, 700]));
    expect((await version.ask(version.example)).code).toBe('ok');
    expect(JSON.stringify(version.example).length).toBeLessThan(9_000_000);
  });
});
