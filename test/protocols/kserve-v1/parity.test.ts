import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { buildTestApp, type TestApp } from '../../helpers/app.js';
import { createCachedSamples } from '../../helpers/cached-samples.js';
import { shareTestApp } from '../../helpers/shared-app.js';

const versions = [
  'credit-risk/20261101_090000',
  'credit-risk/20261115_143000',
  'breast-cancer/1.0.0',
  'churn/1',
  'diabetes/1',
];
const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8'));
const withoutId = (text: string) => text.replace(/,"prediction_id":"[^"]{36}"/g, '');

interface Whole {
  readonly prediction: unknown;
  readonly probability?: number;
}

function expectClose(got: readonly Whole[], wanted: readonly Whole[]): void {
  expect(got.length).toBe(wanted.length);
  for (const [k, { prediction, probability = 0 }] of wanted.entries()) {
    expect(got[k]?.prediction).toBe(prediction);
    expect(Math.abs((got[k]?.probability ?? 0) - probability)).toBeLessThan(1e-6);
  }
}

/** The answers of `/predict` to these rows, as text without their ids. */
async function askOneByOne(
  server: Pick<TestApp, 'post'>,
  path: string,
  rows: readonly unknown[],
): Promise<string[]> {
  const texts: string[] = [];
  for (const row of rows) {
    const { status, text } = await server.post(`/models/${path}/predict`, row);
    expect(status, text).toBe(200);
    texts.push(withoutId(text));
  }
  return texts;
}

const samples = createCachedSamples();
afterAll(() => samples[Symbol.dispose]());

describe.each(['off', 'memory'])('with CACHE=%s, golden rows get the answers of /predict', (cache) => {
  const server = shareTestApp({ MODELS_DIR: samples.path, CACHE: cache });

  test.each(versions)('%s', async (path) => {
    const { instances } = readJson(`models/${path}/golden.json`);
    const { features } = readJson(`models/${path}/metadata.json`);
    const names = features.map((it: string | { name: string }) => (typeof it === 'string' ? it : it.name));
    const address = `/v1/models/${path.replace('/', '/versions/')}:predict`;
    // All rows in one request come first, so that single rows have not filled the cache yet.
    const many = await server.post(address, { instances, parameters: { probabilities: true } });
    const singles = await askOneByOne(server, path.replace('/', '/versions/'), instances);
    expect(instances.length).toBeGreaterThanOrEqual(50);
    for (const [k, row] of instances.entries()) {
      const { text } = await server.post(address, { instances: [row], parameters: { probabilities: true } });
      expect(withoutId(text)).toBe(`{"predictions":[${singles[k]}]}`);
    }
    // For some models, a run of many rows rounds matrix products in another order than a run of one row.
    if (cache === 'memory' || !/^(breast-cancer|churn)/.test(path)) {
      expect(withoutId(many.text)).toBe(`{"predictions":[${singles.join(',')}]}`);
    }
    expectClose(
      many.body.predictions,
      singles.map((text) => JSON.parse(text)),
    );

    const predictions = singles.map((text) => JSON.parse(text).prediction);
    const plain = await server.post(address, { instances });
    expect(plain.text).toBe(JSON.stringify({ predictions }));
    const inOrder = instances.map((row: Record<string, unknown>) => names.map((name: string) => row[name]));
    expect((await server.post(address, { instances: inOrder })).text).toBe(plain.text);
    const columns = Object.fromEntries(
      names.map((name: string) => [name, instances.map((row: Record<string, unknown>) => row[name])]),
    );
    const byColumn = await server.post(address, { inputs: columns, signature_name: 'serving_default' });
    expect(byColumn.text).toBe(JSON.stringify({ outputs: predictions }));
    expect(byColumn.headers['x-cache']).toBe(cache === 'off' ? 'off' : 'hit');
  });

  test('digits, with tensors as requests', async () => {
    const { instances } = readJson('models/digits/1/golden.json');
    const images = instances.flatMap(({ inputs: { image } }: { inputs: { image: unknown } }) =>
      Array.isArray(image) ? image : [],
    );
    const { body } = await server.post('/models/digits/predict', { inputs: { image: images } });
    const predictions = images.map((_image: unknown, k: number) => ({
      scores: body.outputs.scores[k],
      digit: body.outputs.digit[k],
    }));
    const address = '/v1/models/digits:predict';
    expect((await server.post(address, { instances: images })).text).toBe(JSON.stringify({ predictions }));
    const named = await server.post(address, { instances: images.map((image: unknown) => ({ image })) });
    expect(named.text).toBe(JSON.stringify({ predictions }));
    const whole = await server.post(address, { inputs: { image: images } });
    expect(whole.text).toBe(JSON.stringify({ outputs: body.outputs }));
    expect((await server.post(address, { inputs: images })).text).toBe(whole.text);
  });
});

test('every row of a request has its own prediction id and event', async () => {
  await using server = await buildTestApp();
  const events: string[] = [];
  server.app.predictions.subscribe((event) => events.push(`${event.status} ${event.predictionId}`));
  const row = { age: 42, income: 51234.5, credit_score: 688 };
  const { body } = await server.post('/v1/models/credit-risk:predict', {
    instances: [row, row, { ...row, age: 43 }],
    parameters: { probabilities: true },
  });
  const ids = body.predictions.map((it: { prediction_id: string }) => it.prediction_id);
  expect(new Set(ids).size).toBe(3);
  expect(events).toEqual(ids.map((id: string) => `ok ${id}`));
});

test("/predict and KServe's protocol share cached answers", async () => {
  await using server = await buildTestApp({ MODELS_DIR: samples.path });
  const [first, second] = [42, 43].map((age) => ({ age, income: 51234.5, credit_score: 688 }));
  const address = '/v1/models/credit-risk:predict';
  const cacheOf = async (path: string, body: unknown, headers: Record<string, string> = {}) =>
    (await server.post(path, body, headers)).headers['x-cache'];
  expect(await cacheOf('/predict', first)).toBe('miss');
  expect(await cacheOf(address, { instances: [first] })).toBe('hit');
  expect(await cacheOf(address, { instances: [first, second] })).toBe('miss');
  expect(await cacheOf('/predict', second)).toBe('hit');
  expect(await cacheOf(address, { instances: [first, second] }, { 'cache-control': 'no-cache' })).toBe(
    'miss',
  );
  expect(await cacheOf(address, { instances: [first, second] }, { 'cache-control': 'no-store' })).toBe('off');
  const { text } = await server.get('/metrics');
  expect(text).toContain('prediction_cache_requests_total{model="credit-risk",result="bypass"} 2');
});
