import { describe, expect, test } from 'vitest';
import { buildEmptyApp, buildTestApp } from '../helpers/app.js';
import { shareTestApp } from '../helpers/shared-app.js';

describe('the error', () => {
  const server = shareTestApp({}, buildEmptyApp);

  test('for an unknown address is 404 not_found', async () => {
    const { status, body, headers } = await server.get('/nope?x=1');
    expect(status).toBe(404);
    expect(headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(body).toEqual({
      type: '/errors#not_found',
      code: 'not_found',
      title: 'There is nothing at this address',
      status: 404,
      request_id: headers['x-request-id'],
    });
  });

  test('for a body that is too large names the limit', async () => {
    await using server = await buildEmptyApp({ BODY_LIMIT_BYTES: '1024' });
    const { status, body } = await server.post('/predict', ' '.repeat(2_000));
    expect(status).toBe(413);
    expect(body.detail).toBe('A body may have 1024 bytes.');
  });

  test.each([
    ['GET', '/predict', 'POST'],
    ['PUT', '/models/credit-risk/predict', 'POST'],
    ['DELETE', '/models', 'GET, HEAD'],
    ['OPTIONS', '/health', 'GET, HEAD'],
    ['PATCH', '/models/a/versions/b', 'GET, HEAD'],
    ['POST', '/docs/', 'GET, HEAD'],
  ] as const)('for %s %s is 405 with the allowed methods', async (method, url, allow) => {
    const reply = await server.app.inject({ method, url });
    expect(reply.statusCode).toBe(405);
    expect(reply.headers['allow']).toBe(allow);
    expect(reply.json()).toMatchObject({ code: 'method_not_allowed', status: 405 });
  });

  test('for an address that cannot be decoded is 400 with the request id', async () => {
    const { status, body, headers } = await server.get('/models/%zz');
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: 'invalid_request', request_id: headers['x-request-id'] });
  });

  test('for a fault of the server is logged with the request id, and the answer hides its message', async () => {
    await using server = await buildEmptyApp();
    server.app.predictor.predict = () => Promise.reject(new Error('secret of /etc/passwd'));
    const { status, body, text } = await server.post('/predict', {});
    expect(status).toBe(500);
    expect(text).not.toMatch(/secret|passwd|stack|at /);
    const lines = server.logs.filter(({ request_id }) => request_id === body.request_id);
    expect(lines).toMatchObject([{ level: 50, code: 'internal', err: { message: 'secret of /etc/passwd' } }]);
  });

  test('for a fault of the client is logged at the level info, without `err`', async () => {
    await using server = await buildTestApp();
    const before = server.logs.length;
    await server.post('/predict', {});
    await server.post('/predict', '{');
    await server.get('/nope');
    const lines = server.logs.slice(before);
    expect(lines.map(({ level, code }) => [level, code])).toEqual([
      [30, 'invalid_input'],
      [30, 'invalid_json'],
      [30, 'not_found'],
    ]);
    expect(lines.every((line) => !('err' in line))).toBe(true);
  });
});
