import type { AddressInfo } from 'node:net';
import type { FastifyBaseLogger } from 'fastify';
import { describe, expect, test } from 'vitest';
import { ServiceError } from '../../src/errors.js';
import { createFaultLog } from '../../src/http/refusal-log.js';
import { sendRaw } from '../faults/instruments/raw-http.js';
import { buildEmptyApp, buildTestApp } from '../helpers/app.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder, sha256 } from '../helpers/registry-folder.js';
import { shareTestApp } from '../helpers/shared-app.js';

const loan = { age: 42, income: 51234.5, credit_score: 688 };

test('a flood of one code gets 20 lines, then one a second, and other codes keep their lines', async () => {
  const lines: { level: string; code: string; unlogged?: number }[] = [];
  const write = (level: string) => (fault: { code: string; unlogged?: number }) =>
    void lines.push({ level, code: fault.code, ...(fault.unlogged && { unlogged: fault.unlogged }) });
  const log = { info: write('info'), warn: write('warn'), error: write('error') };
  const note = createFaultLog();
  const refuse = (code: 'overloaded' | 'internal' | 'not_found') =>
    note(log as unknown as FastifyBaseLogger, new ServiceError(code), () => ({ request_id: 'a' }));
  for (let k = 0; k < 1_000; k += 1) refuse('overloaded');
  refuse('internal');
  refuse('not_found');
  await new Promise((resolve) => setTimeout(resolve, 1_050));
  for (let k = 0; k < 1_000; k += 1) refuse('overloaded');
  expect(lines).toEqual([
    ...Array.from({ length: 20 }, () => ({ level: 'warn', code: 'overloaded' })),
    { level: 'error', code: 'internal' },
    { level: 'info', code: 'not_found' },
    { level: 'warn', code: 'overloaded', unlogged: 980 },
  ]);
});

describe('a refused request', () => {
  const server = shareTestApp();

  test('that cannot reach a route gets a line with its key', async () => {
    const key = 'a-key-0123456789abcdef0123456789abcdef';
    await using server = await buildEmptyApp({
      API_KEYS: JSON.stringify([{ id: 'someone', sha256: sha256(key), scopes: ['predict'] }]),
    });
    await server.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = server.app.server.address() as AddressInfo;
    for (const method of ['BREW', 'CONNECT']) {
      const head = `${method} /predict HTTP/1.1\r\nHost: a\r\nX-API-Key: ${key}\r\nConnection: close\r\n\r\n`;
      await sendRaw(port, head);
    }
    const lines = server.logs.filter(({ code }) => code === 'method_not_allowed');
    expect(lines.map((line) => [line['key'], line['method']])).toEqual([
      ['someone', undefined],
      ['someone', 'CONNECT'],
    ]);
  });

  test('gets a line with its code, model, version and ids', async () => {
    const refused = await server.post('/predict', { ...loan, age: 'x' }, { 'x-request-id': 'mine' });
    expect(refused.status).toBe(400);
    expect(server.logs.filter(({ request_id }) => request_id === 'mine')).toEqual([
      expect.objectContaining({
        level: 30,
        status: 400,
        code: 'invalid_input',
        method: 'POST',
        route: '/predict',
        model: 'credit-risk',
        model_version: '20261115_143000',
        prediction_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      }),
    ]);
  });

  test.each([
    ['model_not_found', '/models/nope/predict', {}],
    ['version_not_found', '/models/churn/versions/7/predict', { model: 'churn' }],
    ['not_found', '/nope', {}],
  ])('without a version gets a line: %s', async (code, path, names) => {
    const { body } = await server.post(path, loan);
    expect(server.logs.filter(({ request_id }) => request_id === body.request_id)).toMatchObject([
      { level: 30, status: 404, code, ...names },
    ]);
  });

  test('with invalid JSON, a wrong method or a wrong type gets a line', async () => {
    await server.post('/predict', '{');
    await server.get('/predict');
    await server.post('/predict', loan, { 'content-type': 'text/plain' });
    expect(server.logs.slice(-3).map(({ code }) => code)).toEqual([
      'invalid_json',
      'method_not_allowed',
      'unsupported_media_type',
    ]);
  });

  test('gets a line without any value, query or key from the client', async () => {
    await server.post('/predict?name=Ada', { ...loan, age: 'Lovelace', sdx_secretname: 1 });
    await server.post('/models/%73dx_secretmodel/predict?name=Ada', loan);
    await server.get('/%2573dx_secretpath');
    await server.post('/models/Ada/predict', loan);
    await server.post('/models/churn/versions/Ada/predict', loan);
    const { text } = await server.get('/models/sdx_secretmodel');
    expect(text).not.toContain('secret');
    expect(JSON.stringify(server.logs)).not.toMatch(/Ada|Lovelace|secret/);
  });

  test('gets a line at the level warn only if the server is at fault', async () => {
    using folder = createRegistryFolder();
    folder.addVersion('sum', '1', {
      manifest: { task: 'regression', features: [{ name: 'a', type: 'number' }] },
      model: linearRegression([1]),
    });
    folder.addVersion('bad', '1', {
      manifest: { task: 'regression', features: [{ name: 'a', type: 'number' }] },
      model: Buffer.from('junk'),
    });
    await using server = await buildTestApp({ LOG_LEVEL: 'warn', MODELS_DIR: folder.path });
    const before = server.logs.length;
    await server.post('/models/sum/predict', {});
    expect(server.logs.length).toBe(before);
    expect((await server.post('/models/bad/predict', { a: 1 })).status).toBe(503);
    expect(server.logs.at(-1)).toMatchObject({
      level: 40,
      code: 'model_unavailable',
      model: 'bad',
      status: 503,
    });
  });
});
