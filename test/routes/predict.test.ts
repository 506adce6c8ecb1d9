import { describe, expect, test } from 'vitest';
import { buildTestApp } from '../helpers/app.js';
import { shareTestApp } from '../helpers/shared-app.js';

const loan = { age: 42, income: 51234.5, credit_score: 688 };
const uuid = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/;

const server = shareTestApp();

describe('POST /predict', () => {
  test('answers the loan example with exactly the documented fields and headers', async () => {
    const { status, body, headers, text } = await server.post('/predict', loan);
    expect(status).toBe(200);
    expect(Object.keys(body)).toEqual([
      'prediction',
      'probability',
      'probabilities',
      'model',
      'model_version',
      'prediction_id',
    ]);
    expect(body).toMatchObject({ prediction: 1, model: 'credit-risk', model_version: '20261115_143000' });
    expect(Object.keys(body.probabilities)).toEqual(['0', '1']);
    expect(body.probability).toBe(body.probabilities['1']);
    expect(body.probabilities['0'] + body.probabilities['1']).toBeCloseTo(1, 6);
    expect(body.prediction_id).toMatch(uuid);
    expect(headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'x-cache': 'off',
      'content-length': String(Buffer.byteLength(text)),
    });
    expect(headers['server-timing']).toMatch(/^queue;dur=\d+\.\d{3}, run;dur=\d+\.\d{3}$/);
    expect(headers['x-request-id']).toMatch(uuid);
  });

  test('lists every problem at once, each with its pointer', async () => {
    const { status, body, headers } = await server.post('/predict', {
      age: 130,
      incme: 1,
      credit_score: '688',
      'a/b~c': 1,
    });
    expect(status).toBe(400);
    expect(headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(body).toEqual({
      type: '/errors#invalid_input',
      code: 'invalid_input',
      title: 'The input does not fit the model',
      status: 400,
      detail: '5 problems',
      request_id: headers['x-request-id'],
      errors: [
        { pointer: '/age', message: 'must be at most 100, got 130' },
        { pointer: '/income', message: 'is required' },
        { pointer: '/credit_score', message: 'must be a whole number, got "688"' },
        { pointer: '/incme', message: 'is not a feature of credit-risk; did you mean income?' },
        { pointer: '/a~1b~0c', message: 'is not a feature of credit-risk' },
      ],
    });
  });

  test.each([
    ['age', 18, 100],
    ['income', 0, 1_000_000],
    ['credit_score', 300, 850],
  ])('accepts %s from %d to %d only', async (name, lowest, highest) => {
    const statuses = [];
    for (const value of [lowest - 1, lowest, highest, highest + 1]) {
      statuses.push((await server.post('/predict', { ...loan, [name]: value })).status);
    }
    expect(statuses).toEqual([400, 200, 200, 400]);
  });

  test('leaves out the list of problems with ERROR_DETAIL=off', async () => {
    await using server = await buildTestApp({ ERROR_DETAIL: 'off' });
    const { body } = await server.post('/predict', { age: 130 });
    expect(Object.keys(body)).toEqual(['type', 'code', 'title', 'status', 'request_id']);
  });

  test('puts PUBLIC_URL before the address of an error', async () => {
    await using server = await buildTestApp({ PUBLIC_URL: 'https://ml.example.com/scores/' });
    const { body } = await server.post('/predict', {});
    expect(body.type).toBe('https://ml.example.com/scores/errors#invalid_input');
  });

  test('uses the model of DEFAULT_MODEL', async () => {
    await using server = await buildTestApp({ DEFAULT_MODEL: 'diabetes' });
    expect((await server.post('/predict', loan)).text).toContain('is not a feature of diabetes');
  });
});

describe('POST /models/:model/predict', () => {
  test('answers with the named model, an alias of a version, or latest', async () => {
    const byModel = await server.post('/models/credit-risk/predict', loan);
    expect(byModel.body.model_version).toBe('20261115_143000');
    const byAlias = await server.post('/models/credit-risk/versions/challenger/predict', loan);
    expect(byAlias.body.model_version).toBe('20261101_090000');
    const byLatest = await server.post('/models/credit-risk/versions/latest/predict', loan);
    expect(byLatest.body.model_version).toBe('20261115_143000');
  });

  test('is 404 for an unknown model or version, and the error names the known ones', async () => {
    const model = await server.post('/models/credit-rsk/predict', loan);
    expect(model).toMatchObject({ status: 404, body: { code: 'model_not_found' } });
    expect(model.body.detail).toContain('credit-risk');
    const version = await server.post('/models/credit-risk/versions/1/predict', loan);
    expect(version).toMatchObject({ status: 404, body: { code: 'version_not_found' } });
    expect(version.body.detail).toContain('20261115_143000');
  });

  test('answers every sample model with its own example', async () => {
    for (const { name } of (await server.get('/models')).body.models) {
      const { body } = await server.get(`/models/${name}/versions/latest`);
      const { status, text } = await server.post(`/models/${name}/predict`, body.example);
      expect(status, text).toBe(200);
    }
  });
});

describe('x-request-timeout-ms', () => {
  const post = (value: string) =>
    server.post('/models/credit-risk/predict', loan, { 'x-request-timeout-ms': value });

  test('has no effect if it is long enough', async () => {
    expect((await post('5000')).status).toBe(200);
  });

  test.each(['0', '-1', '1.5', 'soon', '9999999999', ''])(
    'is refused with the value "%s", and the error names the valid values',
    async (value) => {
      const { status, body } = await post(value);
      expect([status, body.code]).toEqual([400, 'invalid_request']);
      expect(body.detail).toContain('whole number of milliseconds');
    },
  );
});
