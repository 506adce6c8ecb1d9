import { expect, test } from 'vitest';
import { buildTestApp, type TestApp } from '../../helpers/app.js';
import { readMetricText } from '../../helpers/ask.js';
import { gatherByValue, infOut, linearRegression, slow } from '../../helpers/onnx-models.js';
import { createRegistryFolder } from '../../helpers/registry-folder.js';

const x = { name: 'x', type: 'number' } as const;
const numbers = (count: number) => Array.from({ length: count }, (_unused, k) => k);

const countRuns = async (server: TestApp) =>
  readMetricText((await server.get('/metrics')).text, 'prediction_run_seconds_count');

test('the rows of a request use the smallest number of runs that maxBatchRows allows', async () => {
  using folder = createRegistryFolder();
  const manifest = { task: 'regression', features: [x], runtime: { maxBatchRows: 256 } } as const;
  folder.addVersion('m', '1', { manifest, model: linearRegression([2]) });
  await using server = await buildTestApp({ MODELS_DIR: folder.path });
  for (const [rows, runs] of [
    [1, 1],
    [100, 1],
    [256, 1],
    [257, 2],
    [1_000, 4],
  ] as const) {
    const before = await countRuns(server);
    const { body } = await server.post('/v1/models/m:predict', { instances: numbers(rows) });
    expect(body.predictions).toEqual(numbers(rows).map((k) => 2 * k));
    expect((await countRuns(server)) - before, `${rows} rows`).toBe(runs);
  }
});

test('a request with many rows is answered by a model whose rows must not share a run', async () => {
  using folder = createRegistryFolder();
  const manifest = { task: 'regression', features: [x], runtime: { maxBatchRows: 1 } } as const;
  folder.addVersion('m', '1', { manifest, model: linearRegression([2]) });
  await using server = await buildTestApp({ MODELS_DIR: folder.path });
  const { body } = await server.post('/v1/models/m:predict', { instances: numbers(20) });
  expect(body.predictions).toEqual(numbers(20).map((k) => 2 * k));
  expect(await countRuns(server)).toBe(20);
});

test('a request may have at most a quarter of the rows that the queue holds', async () => {
  using folder = createRegistryFolder();
  const manifest = { task: 'regression', features: [x], runtime: { maxQueueRows: 40 } } as const;
  folder.addVersion('m', '1', { manifest, model: linearRegression([2]) });
  await using server = await buildTestApp({ MODELS_DIR: folder.path });
  expect((await server.post('/v1/models/m:predict', { instances: numbers(10) })).status).toBe(200);
  for (const body of [{ instances: numbers(11) }, { inputs: { x: numbers(11) } }]) {
    const { status, body: refusal } = await server.post('/v1/models/m:predict', body);
    expect(status).toBe(400);
    expect(refusal.error).toMatch(
      /has 11 rows, and a request of this model at most 10: send them in several/,
    );
  }
});

test('a row with an infinite answer fails the request, and the error names the row', async () => {
  using folder = createRegistryFolder();
  folder.addVersion('m', '1', { manifest: { task: 'regression', features: [x] }, model: infOut() });
  await using server = await buildTestApp({ MODELS_DIR: folder.path });
  const { status, body } = await server.post('/v1/models/m:predict', { instances: [1, 2, 4, 0, 5] });
  expect(status).toBe(422);
  expect(body.error).toMatch(/^The answer of the model is not a finite number: instances\[3\]: /);
  const columns = await server.post('/v1/models/m:predict', { inputs: { x: [1, 0] } });
  expect(columns.body.error).toContain('inputs[1]: ');
});

test('a row that the engine refuses fails the request, and the error names only that row', async () => {
  using folder = createRegistryFolder();
  const manifest = { task: 'regression', features: [{ name: 'id', type: 'integer' }] } as const;
  folder.addVersion('m', '1', { manifest, model: gatherByValue() });
  await using server = await buildTestApp({ MODELS_DIR: folder.path });
  const sound = numbers(7).map(() => 0);
  for (const at of [0, 3, 6]) {
    const { status, body } = await server.post('/v1/models/m:predict', { instances: sound.with(at, 99) });
    expect(status, body.error).toBe(400);
    expect(body.error).toContain(`instances[${at}].id is out of range`);
  }
  expect((await server.post('/v1/models/m:predict', { instances: sound })).status).toBe(200);
});

test('all rows of a request have one deadline, and rows that wait at the deadline are not run', async () => {
  using folder = createRegistryFolder();
  const manifest = {
    task: 'regression',
    features: [x],
    runtime: { executor: 'isolated', maxBatchRows: 1, timeoutMs: 30_000 },
  } as const;
  folder.addVersion('m', '1', { manifest, model: slow() });
  await using server = await buildTestApp({ MODELS_DIR: folder.path });
  const started = performance.now();
  const { status, body, headers } = await server.post(
    '/v1/models/m:predict',
    // 2 million steps: ten seconds and more on any machine.
    { instances: numbers(200).map((k) => 10_000 + k) },
    { 'x-request-timeout-ms': '1000' },
  );
  expect([503, 504], body.error).toContain(status);
  expect(Object.keys(body)).toEqual(['error']);
  expect(performance.now() - started).toBeLessThan(5_000);
  if (status === 503) expect(headers['retry-after']).toMatch(/^\d+$/);
});

test('a body with more names than the maximum of rows can have is refused before it is parsed', async () => {
  await using server = await buildTestApp();
  const row = Object.fromEntries(numbers(10_000).map((k) => [`name${k}`, k]));
  const { status, body } = await server.post('/v1/models/credit-risk:predict', { instances: [row] });
  expect(status).toBe(400);
  expect(body.error).toMatch(
    /The body has 10\d+ names and objects, .* at most 5096: send fewer rows a request/,
  );
});
