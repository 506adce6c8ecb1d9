import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { buildTestApp } from '../../helpers/app.js';

const row = { age: 42, income: 51234.5, credit_score: 688 };
let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sardonyx-prediction-log-'));
  path = join(folder, 'predictions.ndjson');
});
afterEach(() => rmSync(folder, { recursive: true }));
const read = () =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

describe('the prediction log in a file', () => {
  test('has a line for each prediction, failures included, with the ids of the answer', async () => {
    await using server = await buildTestApp({ PREDICTION_LOG: path });
    const good = await server.post('/models/credit-risk/predict', row, { 'x-request-id': 'mine' });
    await server.post('/models/credit-risk/predict', row);
    await server.post('/models/credit-risk/predict', { ...row, age: 7, secret: 'canary' });
    await vi.waitUntil(() => read().length === 3, { timeout: 5_000 });
    const [first, second, refused] = read();
    expect(first).toMatchObject({
      request_id: 'mine',
      prediction_id: good.body.prediction_id,
      model: 'credit-risk',
      model_version: good.body.model_version,
      request: row,
      prediction: good.body.prediction,
      probability: good.body.probability,
      status: 'ok',
      source: 'online',
    });
    expect(Math.abs(Date.parse(first.time) - Date.now())).toBeLessThan(60_000);
    expect(second.prediction).toBe(first.prediction);
    expect(refused).toMatchObject({ status: 'invalid_input', request: { ...row, age: 7 } });
    expect(readFileSync(path, 'utf8')).not.toContain('canary');
    // The lines are counted a moment after they are in the file.
    await vi.waitUntil(
      async () =>
        (await server.get('/metrics')).text.includes('prediction_log_lines_total{result="written"} 3'),
      { timeout: 5_000 },
    );
    expect((await server.get('/metrics')).text).toContain('prediction_log_lines_total{result="dropped"} 0');
  });

  test('is complete after the server has stopped', async () => {
    {
      await using server = await buildTestApp({ PREDICTION_LOG: path });
      for (let k = 0; k < 20; k += 1)
        await server.post('/models/credit-risk/predict', { ...row, age: 20 + k });
    }
    expect(read().map(({ request }) => request.age)).toEqual(
      Array.from({ length: 20 }, (_unused, k) => 20 + k),
    );
  });

  test('has the rows of batches on wish', async () => {
    for (const wish of ['off', 'on'] as const) {
      {
        await using server = await buildTestApp({ PREDICTION_LOG: path, PREDICTION_LOG_BATCHES: wish });
        await server.post(
          '/models/credit-risk/predict/batch',
          { instances: [row, { ...row, age: 1 }] },
          { prefer: 'wait=10' },
        );
        await server.post('/models/credit-risk/predict', row);
        await server.post('/models/credit-risk/predict', row, { 'x-sardonyx-source': 'console' });
      }
      const seen = read().map(({ source, status }) => `${source} ${status}`);
      expect(seen.slice(-4)).toEqual([
        ...(wish === 'off' ? [] : ['batch ok', 'batch invalid_input']),
        'online ok',
        'console ok',
      ]);
    }
  });

  test('warns of a rule that names no feature of a loaded model', async () => {
    await using server = await buildTestApp({
      PREDICTION_LOG: path,
      PREDICTION_LOG_OMIT: 'incme, credit-risk.age',
      PREDICTION_LOG_MASK: 'income',
    });
    expect(server.logs).toContainEqual(expect.objectContaining({ level: 40, names: ['incme'] }));
    await server.post('/models/credit-risk/predict', row);
    await vi.waitUntil(() => readFileSync(path, 'utf8') !== '');
    expect(read()[0].request).toEqual({ income: '***', credit_score: 688 });
  });
});

describe('the settings of the prediction log', () => {
  test.each([
    [{ PREDICTION_LOG: 'stdot' }, 'PREDICTION_LOG: got "stdot", takes off, stdout, redis, or the path'],
    [{ PREDICTION_LOG: '/' }, 'PREDICTION_LOG: / is a folder'],
    [{ PREDICTION_LOG: '/no/such/folder/x' }, 'create the folder'],
    [{ PREDICTION_LOG: 'redis' }, 'PREDICTION_LOG: redis needs a REDIS_URL'],
    [{ PREDICTION_LOG: 'stdout', PREDICTION_LOG_SAMPLE: '1.5' }, 'takes a number from 0 to 1'],
    [{ PREDICTION_LOG: 'stdout', PREDICTION_LOG_HASH: 'age' }, 'PREDICTION_LOG_HASH_KEY: is missing'],
    [
      { PREDICTION_LOG: 'stdout', PREDICTION_LOG_HASH: 'age', PREDICTION_LOG_HASH_KEY: 'canary' },
      'PREDICTION_LOG_HASH_KEY: is too short',
    ],
  ])('%j are refused', async (environment, message) => {
    const error = await buildTestApp(environment as Record<string, string>).catch((it: unknown) => it);
    expect(String((error as Error).message)).toContain(message);
    expect(String((error as Error).message)).not.toContain('canary');
  });
});
