import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { buildServer } from '../../../src/app.js';
import { readConfig } from '../../../src/config/read-config.js';
import { sendRaw } from '../../faults/instruments/raw-http.js';
import { buildEmptyApp, buildTestApp, type TestAnswer } from '../../helpers/app.js';
import { entry, secretOf, withKey } from '../../helpers/keys.js';
import { gatherByValue, infOut, linearRegression, slow } from '../../helpers/onnx-models.js';
import { createRegistryFolder } from '../../helpers/registry-folder.js';
import { shareTestApp } from '../../helpers/shared-app.js';

const address = '/v1/models/credit-risk:predict';
const loan = { age: 42, income: 51234.5, credit_score: 688 };
const x = { name: 'x', type: 'number' } as const;

/** Expects one text member, in the content type from which KServe's client reads errors. */
function expectError({ headers, body }: Pick<TestAnswer, 'headers' | 'body'>): string {
  expect(headers['content-type']).toBe('application/json');
  expect(Object.keys(body)).toEqual(['error']);
  expect(body.error.length).toBeGreaterThan(10);
  return body.error;
}

describe('every failure is {"error": "…"}', () => {
  const shared = shareTestApp();

  test.each([
    ['an empty body', '', 400, /^The body is not valid JSON: The body is empty/],
    ['broken JSON', '{"instances": [', 400, /^The body is not valid JSON: The body ends early/],
    ['an array as the body', '[1]', 400, /the body must be \{"instances": \[…\]\}, got an array$/],
    ['no rows', { instances: [] }, 400, /instances must have at least one row$/],
    ['neither form', {}, 400, /instances is required: an array of rows$/],
    ['both forms', { instances: [loan], inputs: {} }, 400, /inputs stands beside "instances": send one/],
    [
      'an object as instances',
      { instances: loan },
      400,
      /instances must be an array of rows, got an object$/,
    ],
    [
      'an unknown signature',
      { instances: [loan], signature_name: 'x' },
      400,
      /signature_name must be "serving_d/,
    ],
    [
      'an unknown parameter',
      { instances: [loan], parameters: { top: 1 } },
      400,
      /parameters.top is not a param/,
    ],
    ['a number as parameters', { instances: [loan], parameters: 1 }, 400, /parameters must be an object/],
    [
      'a number as probabilities',
      { instances: [loan], parameters: { probabilities: 1 } },
      400,
      /must be true or false, got 1$/,
    ],
    ['an unknown key', { instances: [loan], data: [] }, 400, /data is not a key of this request/],
    [
      'a number as a row',
      { instances: [5] },
      400,
      /instances\[0\] must be an object of the features, got 5$/,
    ],
    ['a short row', { instances: [[1, 2]] }, 400, /instances\[0\] must have 3 values, in the order age, inc/],
    ['no columns', { inputs: {} }, 400, /inputs.age is required: an array of rows$/],
    [
      'columns of different lengths',
      { inputs: { age: [42], income: [1, 2] } },
      400,
      /inputs.income must be an array of 1 val/,
    ],
    [
      'an unknown column',
      { inputs: { age: [42], incme: [1] } },
      400,
      /inputs.incme\[0\] is not a feature of credit/,
    ],
    [
      'bytes',
      { instances: [{ ...loan, age: { b64: 'AA==' } }] },
      400,
      /age \{"b64": …\} is not decoded here/,
    ],
    ['instances of instances', { instances: [{ instances: [] }] }, 400, /instances\[0\]/],
  ])('%s', async (_title, body, status, wanted) => {
    const answer = await shared.post(address, body);
    expect(answer.status).toBe(status);
    expect(expectError(answer)).toMatch(wanted);
  });

  test('lists the problems of all bad rows, ten at most, and the number of the others', async () => {
    const answer = await shared.post(address, {
      instances: [loan, { ...loan, age: 130 }, loan, { age: 42, incme: 1, credit_score: '688' }],
    });
    expect(answer.status).toBe(400);
    expect(expectError(answer)).toBe(
      'The input does not fit the model: instances[1].age must be at most 100, got 130; ' +
        'instances[3].income is required; instances[3].credit_score must be a whole number, got "688"; ' +
        'instances[3].incme is not a feature of credit-risk; did you mean income?',
    );
    const many = await shared.post(address, { instances: Array.from({ length: 500 }, () => ({})) });
    expect(expectError(many)).toMatch(/instances\[3\]\.age is required; and 50 more$/);
  });

  test('leaves out the problems of a row with ERROR_DETAIL=off', async () => {
    await using server = await buildTestApp({ ERROR_DETAIL: 'off' });
    const answer = await server.post(address, { instances: [{ age: 130 }] });
    expect(expectError(answer)).toBe('The input does not fit the model');
  });

  test.each([
    ['/v1/models/credit-risc:predict', 404, /^There is no such model: "credit-risc" is none of the models: /],
    ['/v1/models/credit-risk/versions/9:predict', 404, /^The model has no such version: "9" is none of the/],
    ['/v1/models/credit-risk/labels/none:predict', 404, /^The model has no such version: /],
    ['/v1/models/credit-risk:classify', 404, /this server has :predict, which gives the class/],
    [
      '/v1/models/credit-risk/versions/latest:regress',
      404,
      /this server has :predict, which gives the value/,
    ],
    ['/v1/models/credit-risk:explain', 404, /this server has :predict, and explains no prediction$/],
    ['/v1/models/credit-risk:else', 404, /^There is nothing at this address$/],
    ['/v1/models/credit-risk', 405, /: it takes GET, HEAD$/],
    ['/v1/models/credit-risk/else:predict', 404, /^There is nothing at this address$/],
    ['/v1/models/credit-risk/versions/1/else:predict', 404, /^There is nothing at this address$/],
    ['/v1/models', 405, /: it takes GET, HEAD$/],
    ['/v1/models/%', 400, /^The request is malformed$/],
    ['/v1', 404, /^There is nothing at this address$/],
    ['/v1/', 404, /^There is nothing at this address$/],
    [`/v1/models/${'a'.repeat(200)}:predict`, 404, /^There is nothing at this address$/],
  ])('POST %s', async (path, status, wanted) => {
    const answer = await shared.post(path, { instances: [loan] });
    expect(answer.status).toBe(status);
    expect(expectError(answer)).toMatch(wanted);
  });

  test.each([
    '/v1/models/credit-risk/',
    '/v1/models/credit-risk/else',
    '/v1/models/credit-risk/versions/',
    '/v1/models/credit-risk/versions/1/else',
    '/v1/models/credit-risk/metadata/',
  ])('GET %s', async (path) => {
    const answer = await shared.get(path);
    expect([answer.status, expectError(answer)]).toEqual([404, 'There is nothing at this address']);
  });

  test('for a wrong method, a wrong content type, a large body and a bad header', async () => {
    await using server = await buildTestApp({ BODY_LIMIT_BYTES: '1024' });
    const get = await server.get(address);
    expect([get.status, get.headers['allow'], expectError(get)]).toEqual([
      405,
      'POST',
      'This address does not take this method: it takes POST',
    ]);
    const form = await server.post(address, 'a=1', { 'content-type': 'application/x-www-form-urlencoded' });
    expect([form.status, expectError(form)]).toEqual([
      415,
      'The body is not of a type that is understood: Send content-type: application/json.',
    ]);
    const large = await server.post(address, { instances: Array.from({ length: 100 }, () => loan) });
    expect([large.status, expectError(large)]).toEqual([
      413,
      'The body is too large: A body may have 1024 bytes.',
    ]);
    const timeout = await server.post(address, { instances: [loan] }, { 'x-request-timeout-ms': 'soon' });
    expect([timeout.status, expectError(timeout)]).toEqual([
      400,
      expect.stringMatching(/x-request-timeout-ms takes a whole/),
    ]);
  });

  test('for no key, an unknown key, a key without the scope and a key of another model', async () => {
    const keys = [
      entry('reader', { scopes: ['read'] }),
      entry('other', { models: ['churn'] }),
      entry('both', { scopes: ['predict', 'read'] }),
    ];
    await using server = await buildTestApp({ API_KEYS: JSON.stringify(keys) });
    const ask = (headers: Record<string, string>) => server.post(address, { instances: [loan] }, headers);
    const none = await ask({});
    expect([none.status, none.headers['www-authenticate']]).toEqual([401, 'Bearer realm="sardonyx"']);
    expect(expectError(none)).toBe('An API key is needed');
    for (const name of ['nobody', 'reader', 'other']) {
      const refused = await ask(withKey(name));
      expect(refused.status, name).toBe(403);
      expectError(refused);
    }
    expect((await ask({ authorization: `Bearer ${secretOf('both')}` })).status).toBe(200);
    expect((await server.get('/v1/models', withKey('reader'))).body.models).toHaveLength(5);
    const unknown = await server.get('/v1/models/credit-risk:else', withKey('nobody'));
    expect(unknown.status).toBe(403);
    expectError(unknown);
  });

  test('for a client above its limit, with the headers of the limit', async () => {
    await using server = await buildTestApp({ RATE_LIMIT_MAX: '1' });
    const first = await server.post(address, { instances: [loan, loan, loan] });
    expect([first.status, first.headers['ratelimit']]).toEqual([200, expect.stringMatching(/;r=0;/)]);
    const second = await server.post(address, { instances: [loan] });
    expect(second.status).toBe(429);
    expect(second.headers).toMatchObject({
      'retry-after': expect.stringMatching(/^\d+$/),
      'ratelimit-policy': expect.stringMatching(/q=1/),
    });
    expect(expectError(second)).toMatch(/^There were too many requests: /);
  });

  test('for a failed run, a refused version, a deadline and a full queue, with Retry-After if it helps', async () => {
    using folder = createRegistryFolder();
    const manifest = { task: 'regression', features: [x] } as const;
    const busy = { executor: 'isolated', maxBatchRows: 1, timeoutMs: 20_000, maxQueueRows: 4 } as const;
    folder.addVersion('picky', '1', { manifest, model: gatherByValue() });
    folder.addVersion('inverse', '1', { manifest, model: infOut() });
    folder.addVersion('slow', '1', { manifest: { ...manifest, runtime: busy }, model: slow() });
    folder.addVersion('broken', '1', { manifest, model: linearRegression([1, 2]) });
    await using server = await buildTestApp({ MODELS_DIR: folder.path });
    const ask = async (
      model: string,
      instances: readonly unknown[],
      headers: Record<string, string> = {},
    ) => {
      const answer = await server.post(`/v1/models/${model}:predict`, { instances }, headers);
      const text = answer.status === 200 ? '' : expectError(answer);
      return [answer.status, text, answer.headers['retry-after']] as const;
    };
    const failed = await ask('picky', [0, 99]);
    expect(failed).toEqual([
      500,
      expect.stringMatching(/^The model failed on this input: instances\[1\]: /),
      undefined,
    ]);
    expect((await ask('inverse', [1, 0]))[0]).toBe(422);
    expect(await ask('broken', [1])).toEqual([
      503,
      expect.stringMatching(/^The model cannot answer now: /),
      undefined,
    ]);
    const ready = await server.get('/v1/models/broken');
    expect([ready.status, expectError(ready)]).toEqual([
      503,
      expect.stringMatching(/^The model cannot answer now/),
    ]);
    const late = await ask('slow', [3_000], { 'x-request-timeout-ms': '50' });
    expect(late).toEqual([504, expect.stringMatching(/^The answer did not come in time: /), undefined]);
    const answers = await Promise.all(Array.from({ length: 12 }, () => ask('slow', [2_000])));
    const refused = answers.filter(([status]) => status !== 200);
    expect(refused.length).toBeGreaterThan(0);
    for (const refusal of refused) {
      expect(refusal).toEqual([
        503,
        expect.stringMatching(
          /^The model has more requests than it can answer: The queue of this model is full/,
        ),
        expect.stringMatching(/^\d+$/),
      ]);
    }
  });

  test('appears in the log and the metrics under the pattern of its route', async () => {
    await using server = await buildTestApp();
    const { headers } = await server.post(address, { instances: [{ ...loan, age: 130 }] });
    expect(server.logs).toContainEqual(
      expect.objectContaining({
        request_id: headers['x-request-id'],
        route: '/v1/models/:model:predict',
        model: 'credit-risk',
        code: 'invalid_input',
        prediction_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      }),
    );
    await server.get('/v1/models/credit-risk/labels/latest');
    const { text } = await server.get('/metrics');
    expect(text).toContain('method="POST",route="/v1/models/:model:predict",status="400"} 1');
    expect(text).toContain('method="GET",route="/v1/models/:model/labels/:version",status="200"} 1');
    expect(text).toContain(
      'predictions_total{model="credit-risk",model_version="20261115_143000",status="invalid_input"} 1',
    );
  });

  test('with Retry-After while the models are loading', async () => {
    using folder = createRegistryFolder();
    folder.addVersion('m', '1', {
      manifest: { task: 'regression', features: [x] },
      model: linearRegression([1]),
    });
    const app = await buildServer(readConfig({ MODELS_DIR: folder.path }), pino({ level: 'silent' }));
    const { statusCode, headers, body } = await app.inject({ url: '/v1/models/m' });
    expect([statusCode, headers['retry-after']]).toEqual([503, '1']);
    expectError({ headers, body: JSON.parse(body) });
    await app.modelsLoaded;
    expect((await app.inject({ url: '/v1/models/m' })).statusCode).toBe(200);
    await app.close();
  });

  test.each([
    ['an unknown method', 'FOO /v1/models/m:predict HTTP/1.1\r\nhost: a\r\n\r\n', 405],
    ['CONNECT', 'CONNECT /v1/models/m:predict HTTP/1.1\r\nhost: a\r\n\r\n', 405],
    ['a method of RTSP', 'DESCRIBE /v1/else HTTP/1.1\r\nhost: a\r\n\r\n', 404],
    [
      'a whole URL as the target',
      'PUT http://a/v1/models HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n',
      405,
    ],
    [
      'a broken chunk',
      'POST /v1/models/m:predict HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n',
      400,
    ],
    [
      'a body that never ends',
      'POST /v1/models/m:predict HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{',
      408,
    ],
  ])('for raw bytes: %s', async (_title, bytes, status) => {
    await using server = await buildEmptyApp({ REQUEST_TIMEOUT_MS: '500' });
    await server.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = server.app.server.address() as AddressInfo;
    const answer = await sendRaw(port, bytes, 2_000);
    expect(answer.status).toBe(status);
    expectError({ headers: Object.fromEntries(answer.headers), body: JSON.parse(answer.body) });
  });
});
