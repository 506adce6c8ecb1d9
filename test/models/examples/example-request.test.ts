import { expect, test } from 'vitest';
import { buildTestApp } from '../../helpers/app.js';
import { loadOne } from '../../helpers/one-version.js';
import { initializer, int, model, node, tensorValue } from '../../helpers/onnx.js';
import { echo, linearRegression, nanAt, neverANumber } from '../../helpers/onnx-models.js';
import { createRegistryFolder } from '../../helpers/registry-folder.js';

const tensor = { task: 'tensor' } as const;
const regression = (...features: string[]) => ({
  task: 'regression' as const,
  features: features.map((name) => ({ name, type: 'number' as const })),
});

/** ids and mask [N, length] → value [N]: the mean of the ids whose mask is 1; a mask of zeros gives 0/0. */
const maskedMean = () =>
  model({
    inputs: [tensorValue('ids', 'int64', ['N', 'length']), tensorValue('mask', 'int64', ['N', 'length'])],
    outputs: [tensorValue('value', 'float32', ['N'])],
    initializers: [initializer('axes', 'int64', [1], [1n])],
    nodes: [
      node('Mul', ['ids', 'mask'], ['seen']),
      node('Cast', ['seen'], ['seen_float'], { to: int(1) }),
      node('Cast', ['mask'], ['mask_float'], { to: int(1) }),
      node('ReduceSum', ['seen_float', 'axes'], ['sum'], { keepdims: int(0) }),
      node('ReduceSum', ['mask_float', 'axes'], ['count'], { keepdims: int(0) }),
      node('Div', ['sum', 'count'], ['value']),
    ],
  });

/** X [N, 1, height, width] → value: a convolution of 3 × 3 without padding. */
const window = () =>
  model({
    inputs: [tensorValue('X', 'float32', ['N', 1, 'height', 'width'])],
    outputs: [tensorValue('value', 'float32')],
    initializers: [initializer('W', 'float32', [1, 1, 3, 3], new Array(9).fill(1))],
    nodes: [node('Conv', ['X', 'W'], ['value'])],
  });

test('zeros are the example if the version answers them', async () => {
  using version = await loadOne(tensor, echo('float32', ['N', 2]));
  expect(version.example).toEqual({ inputs: { X: [[0, 0]] } });
});

test('the first golden row, if there is one, is the example, for tensors and for features', async () => {
  const body = { inputs: { ids: [[4, 9]], mask: [[1, 0]] } };
  using mean = await loadOne(tensor, maskedMean(), {
    instances: [body],
    expected: [{ outputs: { value: [4] } }],
  });
  expect(mean.example).toEqual(body);
  const row = { a: 7 };
  using sum = await loadOne(regression('a'), linearRegression([2]), {
    instances: [row],
    expected: [{ prediction: 14 }],
  });
  expect(sum.example).toEqual(row);
});

test.each([
  ['zeros that are 0/0', tensor, maskedMean()],
  ['a window over a single pixel', tensor, window()],
  ['the logarithm of 0', regression('x'), nanAt()],
])(
  'if the plain example fails, another candidate that gets an answer replaces it: %s',
  async (_, manifest, bytes) => {
    using version = await loadOne(manifest, bytes);
    expect(version.loaded.task.exampleProblem).toBeUndefined();
    expect(await version.ask(version.example)).toMatchObject({ code: 'ok' });
  },
);

test('if no candidate gets an answer, the model page shows the reason in place of an example', async () => {
  using folder = createRegistryFolder();
  folder.addVersion('m', '1', { manifest: regression('x'), model: neverANumber() });
  await using server = await buildTestApp({ MODELS_DIR: folder.path });
  const { body } = await server.get('/models/m/versions/1');
  expect(body).not.toHaveProperty('example');
  expect(body.example_problem).toMatch(/The output value is not a number/);
  const { paths } = (await server.get('/openapi.json')).body;
  expect(paths['/predict'].post.requestBody.content['application/json']).not.toHaveProperty('example');
});
