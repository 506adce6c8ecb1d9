import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { describe, expect, test, vi } from 'vitest';
import { buildTestApp } from '../../helpers/app.js';
import { readMetricText } from '../../helpers/ask.js';
import { entry, withKey } from '../../helpers/keys.js';
import { linearRegression } from '../../helpers/onnx-models.js';
import { startRedis } from '../../helpers/redis.js';
import { createRegistryFolder } from '../../helpers/registry-folder.js';
import { shareTestApp } from '../../helpers/shared-app.js';

const loan = { age: 42, income: 51234.5, credit_score: 688 };
const server = shareTestApp();
const predict = async (path = '/predict', body: unknown = loan): Promise<string> =>
  (await server.post(path, body)).body.prediction_id;

describe('POST /feedback', () => {
  test('records one feedback once, and says what is wrong with another', async () => {
    const prediction_id = await predict();
    const send = (actual: unknown, id: unknown = prediction_id) =>
      server.post('/feedback', { prediction_id: id, actual });
    const invalid = await send('yes');
    expect([invalid.status, invalid.body.code]).toEqual([400, 'invalid_input']);
    expect(invalid.body.errors).toEqual([{ pointer: '/actual', message: 'must be one of 0, 1, got "yes"' }]);
    const recorded = await send(1);
    expect([recorded.status, recorded.body]).toEqual([
      200,
      { prediction_id, result: 'recorded', model: 'credit-risk' },
    ]);
    expect((await send(1)).body.result).toBe('already_recorded');
    const conflict = await send(0);
    expect([conflict.status, conflict.body.code]).toEqual([409, 'feedback_conflict']);
    const unknown = await send(1, randomUUID());
    expect([unknown.status, unknown.body.code]).toEqual([404, 'prediction_not_found']);
  });

  test.each([
    [{}, '/prediction_id'],
    [{ prediction_id: 7, actual: 1 }, '/prediction_id'],
    [{ prediction_id: 'x', actual: 1 }, '/prediction_id'],
    [{ prediction_id: `${randomUUID()}0`, actual: 1 }, '/prediction_id'],
    [{ prediction_id: randomUUID() }, '/actual'],
    [{ prediction_id: randomUUID(), actual: 1, more: 1 }, ''],
    [[], ''],
    ['"text"', ''],
    ['null', ''],
    [{ feedback: {} }, '/feedback'],
    [{ feedback: [] }, '/feedback'],
    [{ feedback: [], more: 1 }, ''],
    [{ feedback: Array.from({ length: 1_001 }, () => 1) }, '/feedback'],
  ])('refuses %j', async (body, pointer) => {
    const { status, body: problem } = await server.post('/feedback', body);
    expect([status, problem.code]).toEqual([400, 'invalid_input']);
    expect(problem.errors).toHaveLength(1);
    expect(problem.errors[0].pointer).toBe(pointer);
  });

  test('judges each of many by itself', async () => {
    const [a, b, c] = [
      await predict(),
      await predict('/models/digits/predict', { inputs: 1 }),
      await predict(),
    ];
    expect(b).toBe(undefined);
    const feedback = [
      { prediction_id: a, actual: 1 },
      'text',
      { prediction_id: a, actual: 1 },
      { prediction_id: c, actual: [] },
      { prediction_id: randomUUID(), actual: 1 },
      { prediction_id: c, actual: 0 },
    ];
    const { status, body } = await server.post('/feedback', { feedback });
    expect([status, body.recorded]).toEqual([200, 2]);
    expect(body.results.map(({ result }: { result: string }) => result)).toEqual([
      'recorded',
      'invalid',
      'already_recorded',
      'invalid',
      'unknown',
      'recorded',
    ]);
    expect(body.results[3]).toEqual({
      index: 3,
      prediction_id: c,
      result: 'invalid',
      model: 'credit-risk',
      reason: 'must be one of 0, 1, got an array',
    });
  });

  test('takes 1,000 at once, with objects and with more names than a model has', async () => {
    const feedback = Array.from({ length: 1_000 }, (_, k) => ({
      prediction_id: randomUUID(),
      actual: Object.fromEntries(Array.from({ length: 10 }, (_v, n) => [`name_${k}_${n}`, n])),
    }));
    const { status, body } = await server.post('/feedback', { feedback });
    expect([status, body.recorded, body.results.length]).toEqual([200, 0, 1_000]);
  });

  test('belongs to the key that made the prediction', async () => {
    await using guarded = await buildTestApp({
      API_KEYS: JSON.stringify([entry('one'), entry('two'), entry('reader', { scopes: ['read'] })]),
    });
    const { body } = await guarded.post('/predict', loan, withKey('one'));
    const send = async (name: string) => {
      const it = { prediction_id: body.prediction_id, actual: 1 };
      return (await guarded.post('/feedback', it, withKey(name))).status;
    };
    expect([await send('two'), await send('reader'), await send('one')]).toEqual([404, 403, 200]);
    expect((await guarded.get('/models/credit-risk/quality', withKey('one'))).status).toBe(403);
    expect((await guarded.get('/models/credit-risk/quality', withKey('reader'))).status).toBe(200);
  });

  test('hides reasons with ERROR_DETAIL=off, since they list the classes of a model', async () => {
    await using secret = await buildTestApp({ ERROR_DETAIL: 'off' });
    const { prediction_id } = (await secret.post('/predict', loan)).body;
    const item = { prediction_id, actual: 'x' };
    const one = await secret.post('/feedback', item);
    const many = await secret.post('/feedback', { feedback: [item] });
    expect([one.status, many.body.results[0].result]).toEqual([400, 'invalid']);
    for (const { text } of [one, many]) expect(text).not.toContain('one of');
  });

  test('is not there with FEEDBACK=off', async () => {
    await using off = await buildTestApp({ FEEDBACK: 'off' });
    expect((await off.post('/feedback', {})).status).toBe(404);
    expect((await off.get('/models/credit-risk/quality')).status).toBe(404);
  });
});

describe('GET /models/:model/quality', () => {
  test('is the same for answers of the cache, and keeps those of other models', async () => {
    using folder = createRegistryFolder();
    const sample = 'models/credit-risk/20261115_143000';
    const { name, version, sha256, ...manifest } = JSON.parse(
      readFileSync(`${sample}/metadata.json`, 'utf8'),
    );
    const model = readFileSync(`${sample}/model.onnx`);
    folder.addVersion('credit-risk', '1', { manifest: { ...manifest, runtime: { cache: true } }, model });
    folder.addVersion('double', '1', {
      manifest: { task: 'regression', features: [{ name: 'a', type: 'number' }] },
      model: linearRegression([2]),
    });
    await using own = await buildTestApp({ MODELS_DIR: folder.path, CACHE: 'memory' });
    const ask = async (path: string, body: unknown) => (await own.post(path, body)).body;
    const kept = [];
    for (let a = 0; a < 5; a += 1) kept.push(await ask('/models/double/predict', { a }));
    // The first answer is computed, the others are of the cache.
    const answers = [];
    for (let k = 0; k < 4; k += 1) answers.push(await ask('/models/credit-risk/predict', loan));
    for (let a = 5; a < 10; a += 1) kept.push(await ask('/models/double/predict', { a }));
    for (const { prediction_id, prediction } of [...kept, ...answers])
      expect((await own.post('/feedback', { prediction_id, actual: prediction })).body.result).toBe(
        'recorded',
      );
    const [double] = (await own.get('/models/double/quality')).body.versions;
    expect(double.outputs).toMatchObject([{ mae: 0, rmse: 0 }]);
    const [credit] = (await own.get('/models/credit-risk/quality')).body.versions;
    const { probabilities } = answers[0];
    expect(answers[3].probabilities).toEqual(probabilities);
    expect(credit.brier_score).toBeCloseTo((probabilities['1'] - answers[0].prediction) ** 2, 12);
    expect(
      readMetricText((await own.get('/metrics')).text, 'prediction_cache_requests_total', 'result="hit"'),
    ).toBe(3);
  });

  test('shows the feedback of each version, and the metrics say the same', async () => {
    await using own = await buildTestApp({ CACHE: 'memory' });
    const run = async (path: string, body: unknown, actualOf: (it: never) => unknown) => {
      const { body: answer } = await own.post(path, body);
      const { status } = await own.post('/feedback', {
        prediction_id: answer.prediction_id,
        actual: actualOf(answer.prediction as never),
      });
      expect(status).toBe(200);
      return answer;
    };
    const answers = [];
    for (let k = 0; k < 10; k += 1) answers.push(await run('/predict', loan, () => (k < 7 ? 1 : 0)));
    const p = answers[0].probabilities['1'];
    const { body } = await own.get('/models/credit-risk/quality');
    expect(body).toMatchObject({
      model: 'credit-risk',
      window_seconds: 86_400,
      versions: [{ version: answers[0].model_version, feedback: 10, accuracy: 0.7 }],
    });
    expect(body.versions[0].brier_score).toBeCloseTo((7 * (p - 1) ** 2 + 3 * p ** 2) / 10, 12);
    const { example } = (await own.get('/models/diabetes/versions/latest')).body;
    await run('/models/diabetes/predict', example, (value: number) => value + 10);
    const { text } = await own.get('/metrics');
    const version = `model_version="${answers[0].model_version}"`;
    expect(readMetricText(text, 'model_accuracy', 'source="live"', version)).toBe(0.7);
    expect(readMetricText(text, 'model_accuracy', 'source="manifest"', version)).toBeGreaterThan(0);
    expect(readMetricText(text, 'model_brier_score', version)).toBe(body.versions[0].brier_score);
    expect(readMetricText(text, 'model_feedback_rows', version)).toBe(10);
    expect(readMetricText(text, 'model_mae', 'model="diabetes"', 'source="live"')).toBeCloseTo(10, 4);
    expect(readMetricText(text, 'model_rmse', 'model="diabetes"', 'source="live"')).toBeCloseTo(10, 4);
    expect(readMetricText(text, 'feedback_total', 'model="credit-risk"', 'result="recorded"')).toBe(10);
    const older = await own.get('/models/credit-risk/quality?version=20261101_090000');
    expect(older.body.versions).toEqual([{ version: '20261101_090000', feedback: 0 }]);
    expect((await own.get('/models/credit-risk/quality?version=latest')).body.versions).toEqual(
      body.versions,
    );
    for (const [path, status] of [
      ['/models/none/quality', 404],
      ['/models/credit-risk/quality?version=none', 404],
      ['/models/credit-risk/quality?other=1', 400],
    ] as const)
      expect((await own.get(path)).status, path).toBe(status);
  });
});

test('what another program wrote into Redis, and the loss of Redis, end neither figures nor metrics', async () => {
  await using redis = await startRedis();
  const client = new Redis(redis.url);
  await using own = await buildTestApp({ REDIS_URL: redis.url, REDIS_TIMEOUT_MS: '5000' });
  const send = async (actual: unknown) => {
    const { prediction_id } = (await own.post('/predict', loan)).body;
    return await own.post('/feedback', { prediction_id, actual });
  };
  const readAll = async () => {
    const quality = await own.get('/models/credit-risk/quality');
    const metrics = await own.get('/metrics');
    expect([quality.status, metrics.status]).toEqual([200, 200]);
    const [version] = quality.body.versions;
    const rows = 'model_feedback_rows{';
    const shown = metrics.text.includes(rows)
      ? readMetricText(metrics.text, 'model_feedback_rows')
      : undefined;
    expect(shown).toBe(version?.feedback);
    return version?.feedback;
  };
  await vi.waitUntil(async () => (await send(1)).status === 200, { timeout: 10_000 });
  const { example } = (await own.get('/models/diabetes/versions/latest')).body;
  const { prediction_id } = (await own.post('/models/diabetes/predict', example)).body;
  const far = await own.post('/feedback', { prediction_id, actual: 1e200 });
  expect([far.status, far.body.errors[0]]).toEqual([
    400,
    { pointer: '/actual', message: 'must differ from the prediction by at most 1e+100' },
  ]);
  expect(await readAll()).toBe(1);
  const [sums = ''] = await client.keys('sardonyx:{feedback}:q:*');
  await client.hset(sums, 'garbage', '1', '["credit-risk","x","n"]', '1');
  await client.hset('sardonyx:{feedback}:shapes', 'x/1', 'junk', 'credit-risk/x', 'junk');
  expect(await readAll()).toBe(1);
  await client.flushall();
  expect(await readAll()).toBe(undefined);
  expect((await send(1)).status).toBe(200);
  expect(await readAll()).toBe(1);
  const { text } = await own.get('/metrics');
  expect(readMetricText(text, 'feedback_total', 'result="recorded"')).toBe(2);
  await client.quit();
});

test('a row that a person tries on the page at / waits for no feedback', async () => {
  await using own = await buildTestApp({ FEEDBACK_BATCHES: 'on' });
  const { body } = await own.post('/predict', loan, { 'x-sardonyx-source': 'console' });
  const { status } = await own.post('/feedback', { prediction_id: body.prediction_id, actual: 1 });
  expect(status).toBe(404);
});

test('the rows of a batch wait for feedback only with FEEDBACK_BATCHES=on', async () => {
  for (const FEEDBACK_BATCHES of ['off', 'on']) {
    await using own = await buildTestApp({ FEEDBACK_BATCHES });
    const { body } = await own.post('/predict/batch', { instances: [loan] }, { prefer: 'wait=10' });
    const { prediction_id } = body.results[0];
    const { status } = await own.post('/feedback', { prediction_id, actual: 1 });
    expect(status, FEEDBACK_BATCHES).toBe(FEEDBACK_BATCHES === 'on' ? 200 : 404);
  }
});
