import { describe, expect, test } from 'vitest';
import { buildTestApp, type TestApp } from '../../helpers/app.js';
import { initializer, model, node, tensorValue } from '../../helpers/onnx.js';
import { fixedBatch, linearRegression, stringEcho, twoOutputs } from '../../helpers/onnx-models.js';
import { createRegistryFolder } from '../../helpers/registry-folder.js';

/** x [N] → y [N] = x / 2 + 2: the model of TensorFlow Serving's own examples. */
const halfPlusTwo = model({
  inputs: [tensorValue('x', 'float32', ['N'])],
  outputs: [tensorValue('y', 'float32', ['N'])],
  initializers: [initializer('half', 'float32', [1], [0.5]), initializer('two', 'float32', [1], [2])],
  nodes: [node('Mul', ['x', 'half'], ['h']), node('Add', ['h', 'two'], ['y'])],
});

/** The three inputs of TensorFlow Serving's documentation of row and column format, returned as they are. */
const tagSignalSensor = model({
  inputs: [
    tensorValue('tag', 'string', ['N']),
    tensorValue('signal', 'int64', ['N', 5]),
    tensorValue('sensor', 'float32', ['N', 2, 2]),
  ],
  outputs: [
    tensorValue('tag_out', 'string', ['N']),
    tensorValue('signal_out', 'int64', ['N', 5]),
    tensorValue('sensor_out', 'float32', ['N', 2, 2]),
  ],
  nodes: ['tag', 'signal', 'sensor'].map((name) => node('Identity', [name], [`${name}_out`])),
});

/** X [N, 2] → total [], the sum of all rows. */
const total = model({
  inputs: [tensorValue('X', 'float32', ['N', 2])],
  outputs: [tensorValue('total', 'float32', [1])],
  nodes: [node('ReduceSum', ['X'], ['sum'], {}), node('Reshape', ['sum', 'one'], ['total'])],
  initializers: [initializer('one', 'int64', [1], [1n])],
});

const tensor = { task: 'tensor' } as const;
const regression = { task: 'regression', features: [{ name: 'x', type: 'number' }] } as const;

function createModels() {
  const folder = createRegistryFolder();
  folder.addVersion('half_plus_two', '123', { manifest: tensor, model: halfPlusTwo });
  folder.addVersion('three', '1', { manifest: tensor, model: tagSignalSensor });
  folder.addVersion('total', '1', { manifest: tensor, model: total });
  folder.addVersion('texts', '1', { manifest: tensor, model: stringEcho() });
  folder.addVersion('pair', '1', { manifest: tensor, model: fixedBatch(2) });
  folder.addVersion('line', '1', { manifest: regression, model: linearRegression([2], 1) });
  folder.addVersion('two', '1', {
    manifest: {
      task: 'regression',
      features: ['b', 'a'].map((name) => ({ name, type: 'number' as const })),
      output: { names: ['1', '0'] },
    },
    model: twoOutputs(),
  });
  return folder;
}

async function useModels(check: (server: TestApp) => Promise<void>): Promise<void> {
  using folder = createModels();
  await using server = await buildTestApp({ MODELS_DIR: folder.path });
  await check(server);
}

const rows = [
  {
    tag: 'foo',
    signal: [1, 2, 3, 4, 5],
    sensor: [
      [1, 2],
      [3, 4],
    ],
  },
  {
    tag: 'bar',
    signal: [3, 4, 1, 2, 5],
    sensor: [
      [4, 5],
      [6, 8],
    ],
  },
];
const columns = {
  tag: ['foo', 'bar'],
  signal: [
    [1, 2, 3, 4, 5],
    [3, 4, 1, 2, 5],
  ],
  sensor: [
    [
      [1, 2],
      [3, 4],
    ],
    [
      [4, 5],
      [6, 8],
    ],
  ],
};

describe("TensorFlow Serving's documented requests", () => {
  test('get the documented answers', () =>
    useModels(async (server) => {
      const ask = async (path: string, body: unknown) => {
        const { status, body: answer } = await server.post(`/v1/models/${path}:predict`, body);
        return status === 200 ? answer : { status, ...answer };
      };
      const predictions = [2.5, 3, 4.5];
      for (const path of ['half_plus_two', 'half_plus_two/versions/123', 'half_plus_two/labels/latest']) {
        expect(await ask(path, { instances: [1, 2, 5] })).toEqual({ predictions });
      }
      expect(await ask('half_plus_two', { signature_name: 'serving_default', instances: [1, 2, 5] })).toEqual(
        {
          predictions,
        },
      );
      expect(await ask('half_plus_two', { instances: [{ x: 1 }, { x: 2 }, { x: 5 }] })).toEqual({
        predictions,
      });
      expect(await ask('half_plus_two', { inputs: [1, 2, 5] })).toEqual({ outputs: predictions });
      expect(await ask('half_plus_two', { inputs: { x: [1, 2, 5] } })).toEqual({ outputs: predictions });

      const named = (row: (typeof rows)[number]) =>
        Object.fromEntries(Object.entries(row).map(([name, value]) => [`${name}_out`, value]));
      expect(await ask('three', { instances: rows })).toEqual({ predictions: rows.map(named) });
      expect(await ask('three', { inputs: columns })).toEqual({
        outputs: { tag_out: columns.tag, signal_out: columns.signal, sensor_out: columns.sensor },
      });
      expect(await ask('texts', { instances: [['foo,"]['], ['bar\\']] })).toEqual({
        predictions: [['foo,"]['], ['bar\\']],
      });

      expect(await ask('line', { instances: [1, 2, 5] })).toEqual({ predictions: [3, 5, 11] });
      expect(await ask('line', { instances: [[1], { x: 2 }, 5] })).toEqual({ predictions: [3, 5, 11] });
      expect(await ask('line', { inputs: [1, 2] })).toEqual({ outputs: [3, 5] });
      expect(await ask('line', { instances: [1], signature_name: '' })).toEqual({ predictions: [3] });
      // Columns keep the manifest's order. A JavaScript object would sort the names '1' and '0'.
      expect(await ask('two', { instances: [[5, 2]] })).toEqual({ predictions: [[7, 3]] });
    }));

  test('get one clear sentence if they are not supported', () =>
    useModels(async (server) => {
      const refuse = async (path: string, body: unknown) => {
        const { status, body: answer } = await server.post(`/v1/models/${path}`, body);
        expect(status).toBeGreaterThanOrEqual(400);
        return answer.error.replace('The input does not fit the model: ', '');
      };
      expect(await refuse('texts:predict', { instances: [{ b64: 'aW1hZ2U=' }] })).toMatch(
        /^instances\[0\] \{"b64": …\} is not decoded here: send a text as it is, and numbers as numbers$/,
      );
      expect(await refuse('half_plus_two:classify', { examples: [{ x: 1 }] })).toMatch(
        /this server has :predict/,
      );
      expect(await refuse('half_plus_two:regress', { examples: [{ x: 1 }] })).toMatch(
        /this server has :predict/,
      );
      expect(await refuse('half_plus_two:predict', { instances: [1], signature_name: 'predict_x' })).toBe(
        'signature_name must be "serving_default", the one that each model has, got "predict_x"',
      );
      expect(await refuse('half_plus_two:predict', { instances: [1, 'a'] })).toMatch(
        /^instances\[1\] must be a number/,
      );
      expect(await refuse('half_plus_two:predict', { inputs: [1, 'a'] })).toMatch(
        /^inputs\[1\] must be a number/,
      );
      expect(await refuse('half_plus_two:predict', { instances: [[1, 2]] })).toMatch(
        /^instances must have 1 dim/,
      );
      expect(await refuse('half_plus_two:predict', { instances: [{ y: 1 }] })).toMatch(
        /^instances\[0\]\.x is required; instances\[0\]\.y is not an input: \{"x": …\}$/,
      );
      expect(await refuse('three:predict', { instances: [rows[0], { ...rows[1], signal: [1, 2] }] })).toMatch(
        /^instances\[1\]\.signal must be an array of 5 like the first, got one of 2$/,
      );
      expect(await refuse('three:predict', { instances: [rows[0], 5] })).toMatch(
        /^instances\[1\] must be an object of the inputs, \{"tag": …, "signal": …, "sensor": …\}, got 5$/,
      );
      expect(await refuse('three:predict', { instances: rows, parameters: { probabilities: true } })).toMatch(
        /^parameters\.probabilities is for a classification or a regression/,
      );
      expect(await refuse('pair:predict', { instances: [[1, 2]] })).toMatch(
        /^instances must be of size 2 along/,
      );
      expect(
        await refuse('total:predict', {
          instances: [
            [1, 2],
            [3, 4],
          ],
        }),
      ).toBe('the output total has 1 rows for 2 instances: send the tensors whole, as {"inputs": …}');
      expect(
        (
          await server.post('/v1/models/total:predict', {
            inputs: [
              [1, 2],
              [3, 4],
            ],
          })
        ).body,
      ).toEqual({
        outputs: [10],
      });
    }));

  test('for the state of a model, a version and an alias get the documented answer', () =>
    useModels(async (server) => {
      const status = { error_code: 'OK', error_message: '' };
      for (const path of ['half_plus_two', 'half_plus_two/versions/123', 'half_plus_two/labels/latest']) {
        expect((await server.get(`/v1/models/${path}`)).body).toEqual({
          name: 'half_plus_two',
          ready: true,
          model_version_status: [{ version: '123', state: 'AVAILABLE', status }],
        });
      }
    }));

  test('for metadata get the inputs and outputs of the model', () =>
    useModels(async (server) => {
      const { body } = await server.get('/v1/models/three/versions/1/metadata');
      expect(body.model_spec).toEqual({ name: 'three', signature_name: '', version: '1' });
      const { inputs, outputs, method_name } = body.metadata.signature_def.signature_def.serving_default;
      expect(method_name).toBe('tensorflow/serving/predict');
      expect(Object.keys(outputs)).toEqual(['tag_out', 'signal_out', 'sensor_out']);
      expect(inputs.tag.dtype).toBe('DT_STRING');
      expect(inputs.signal).toEqual({
        dtype: 'DT_INT64',
        tensor_shape: {
          dim: [
            { size: '-1', name: 'N' },
            { size: '5', name: '' },
          ],
          unknown_rank: false,
        },
        name: 'signal',
      });
      const loan = (await server.get('/v1/models/two/metadata')).body.metadata.signature_def.signature_def;
      expect(Object.keys(loan.serving_default.inputs)).toEqual(['b', 'a']);
      expect(loan.serving_default.outputs.prediction.tensor_shape.dim.at(-1).size).toBe('2');
    }));
});

test('the state of a model lists a refused version with its reason, after the answering one', async () => {
  using folder = createRegistryFolder();
  folder.addVersion('m', '1', { manifest: regression, model: linearRegression([1]) });
  folder.addVersion('m', '2', { manifest: regression, model: linearRegression([1, 2]) });
  await using server = await buildTestApp({ MODELS_DIR: folder.path });
  const { body } = await server.get('/v1/models/m');
  expect(body.ready).toBe(true);
  expect(body.model_version_status).toEqual([
    { version: '1', state: 'AVAILABLE', status: { error_code: 'OK', error_message: '' } },
    {
      version: '2',
      state: 'END',
      status: {
        error_code: 'FAILED_PRECONDITION',
        error_message: expect.stringMatching(/1 feature cannot fill/),
      },
    },
  ]);
  expect((await server.get('/v1/models/m/versions/2')).status).toBe(503);
  expect((await server.get('/v1/models/other')).status).toBe(404);
});
