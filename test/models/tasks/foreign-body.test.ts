import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildTestApp, type TestApp } from '../../helpers/app.js';
import { linearRegression } from '../../helpers/onnx-models.js';
import { createRegistryFolder } from '../../helpers/registry-folder.js';

const folder = createRegistryFolder();
const model = linearRegression([2, 1], 1);
const features = [
  { name: 'a', type: 'number' as const },
  { name: 'data', type: 'number' as const },
];
folder.addVersion('row', '1', { manifest: { task: 'regression', features }, model });
folder.addVersion('tensors', '1', { manifest: { task: 'tensor' }, model });

let server: TestApp;
beforeAll(async () => {
  server = await buildTestApp({ MODELS_DIR: folder.path });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const rows = [{ a: 1, data: 2 }];
const v2 = [{ name: 'X', shape: [1, 2], datatype: 'FP32', data: [1, 2] }];
const split = { columns: ['a', 'data'], data: [[1, 2]] };
const row = '{"a": …, "data": …}';

test.each<[string, unknown, string, string]>([
  ['TensorFlow Serving', { instances: rows }, '/instances', 'TensorFlow Serving, KServe v1 and Vertex AI'],
  [
    'TensorFlow Serving with a signature',
    { signature_name: 's', instances: rows },
    '/instances',
    'TensorFlow Serving',
  ],
  ['the open inference protocol', { id: '1', inputs: v2 }, '/inputs', 'the open inference protocol'],
  ['a tensor version', { inputs: { X: [[1, 2]] } }, '/inputs', 'the open inference protocol'],
  ['MLflow', { dataframe_split: split }, '/dataframe_split', 'MLflow'],
  ['MLflow by records', { dataframe_records: rows }, '/dataframe_records', 'MLflow'],
  ['Azure ML', { input_data: split }, '/input_data', 'Azure ML'],
  ['pandas by records', { records: rows }, '/records', 'pandas'],
])(
  'a body for %s is refused with one message that shows a row of this server',
  async (_, body, pointer, servers) => {
    const { status, body: answer } = await server.post('/models/row/predict', body);
    expect(status).toBe(400);
    expect(answer).toMatchObject({ code: 'invalid_input', detail: '1 problem', errors: [{ pointer }] });
    const { message } = answer.errors[0];
    expect(message).toContain(`is the form of ${servers}`);
    expect(message).toContain(`; here the body is one row: ${row}`);
  },
);

test.each([[rows], [[[1, 2]]], [[]]])(
  'the list of rows %j is refused, and the message says to send one row a request',
  async (body) => {
    const { body: answer } = await server.post('/models/row/predict', body);
    expect(answer.errors).toEqual([
      {
        pointer: '',
        message: `must be one row, not a list of rows: send a request for each, such as ${row}, or all of them as {"instances": […]}, which /models/row/predict/batch and /v1/models/row:predict take`,
      },
    ]);
  },
);

test('a body of instances is refused, and the message names the routes that take it', async () => {
  const { body } = await server.post('/models/row/predict', { instances: rows });
  expect(body.errors[0].message).toMatch(
    /; \/models\/row\/predict\/batch and \/v1\/models\/row:predict take such a body$/,
  );
  for (const path of ['/models/row/predict/batch', '/v1/models/row:predict']) {
    const answer = await server.post(path, { instances: rows }, { prefer: 'wait=30' });
    expect(answer.status, path).toBe(200);
  }
});

test('a row that is encoded as JSON twice is refused with that reason', async () => {
  const { body } = await server.post('/models/row/predict', JSON.stringify(JSON.stringify(rows[0])));
  expect(body.errors[0].message).toMatch(/encoded as JSON twice$/);
});

test('a feature whose name is also a form of another server stays a feature', async () => {
  const { body } = await server.post('/models/row/predict', { data: [[1, 2]] });
  expect(body.errors).toEqual([
    { pointer: '/a', message: 'is required' },
    { pointer: '/data', message: 'must be a number, got an array' },
  ]);
});

test.each<[unknown, string]>([
  [{ instances: rows }, '/instances'],
  [{ id: '1', inputs: v2, outputs: [{ name: 'variable' }] }, '/inputs'],
  [{ dataframe_split: split }, '/dataframe_split'],
  [{ data: { ndarray: [[1, 2]] } }, '/data'],
])('the body %j is refused, and the message shows the tensors of this server', async (body, pointer) => {
  const { status, body: answer } = await server.post('/models/tensors/predict', body);
  expect(status).toBe(400);
  expect(answer.errors).toHaveLength(1);
  expect(answer.errors[0].pointer).toBe(pointer);
  expect(answer.errors[0].message).toMatch(
    /here each tensor has the name of its input: \{"inputs": \{"X": \[…\]\}\}$/,
  );
});

test('the response names no feature with ERROR_DETAIL=off', async () => {
  await using quiet = await buildTestApp({ MODELS_DIR: folder.path, ERROR_DETAIL: 'off' });
  const { body, text } = await quiet.post('/models/row/predict', { instances: rows });
  expect(body.code).toBe('invalid_input');
  expect(text).not.toMatch(/detail|errors"|instances/);
});
