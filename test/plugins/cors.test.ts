import { describe, expect, test } from 'vitest';
import { buildEmptyApp, buildTestApp, type TestAnswer, type TestApp } from '../helpers/app.js';
import { shareTestApp } from '../helpers/shared-app.js';

const origin = 'https://app.example';
const loan = { age: 42, income: 51234.5, credit_score: 688 };

/** The preflight request of a browser. */
async function preflight(server: Pick<TestApp, 'app'>, path: string, from = origin, method = 'POST') {
  const { statusCode, headers, body } = await server.app.inject({
    method: 'OPTIONS',
    url: path,
    headers: {
      origin: from,
      'access-control-request-method': method,
      'access-control-request-headers': 'content-type,x-api-key',
    },
  });
  return { status: statusCode, headers, body };
}

/** The names of the CORS headers of an answer. */
const corsHeaderNames = (headers: Readonly<Record<string, unknown>>) =>
  Object.keys(headers).filter((name) => name.startsWith('access-control') || name === 'vary');

describe('CORS_ORIGINS', () => {
  const environment = { CORS_ORIGINS: `${origin}, http://localhost:3000` };
  const server = shareTestApp(environment);

  test('allows no other origin by default', async () => {
    await using server = await buildTestApp();
    expect(corsHeaderNames((await server.post('/predict', loan, { origin })).headers)).toEqual([]);
    const asked = await preflight(server, '/predict');
    expect([asked.status, asked.headers['allow']]).toEqual([405, 'POST']);
    expect(corsHeaderNames(asked.headers)).toEqual([]);
  });

  test('lets a listed origin read the answer and its headers', async () => {
    const { status, headers } = await server.post('/predict', loan, { origin });
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-expose-headers':
        'x-request-id, x-cache, retry-after, ratelimit, ratelimit-policy, server-timing, preference-applied, location',
      vary: 'Origin',
    });
    expect(headers).not.toHaveProperty('access-control-allow-credentials');
  });

  test.each([
    ['/predict', '{"age":1}', 400],
    ['/predict', '{', 400],
    ['/nope', '{}', 404],
    ['/models/nope/predict', '{}', 404],
  ])('lets a listed origin read the error of %s with the body %s', async (path, body, status) => {
    const answer = await server.post(path, body, { origin });
    expect(answer.status).toBe(status);
    expect(answer.headers['access-control-allow-origin']).toBe(origin);
  });

  test.each([
    'https://app.example.evil',
    'https://app.example:8443',
    'http://app.example',
    'https://APP.example',
    'null',
    '',
    '*',
    `${origin}, ${origin}`,
  ])('gives the unlisted origin %j no CORS header except Vary', async (from) => {
    const { headers } = await server.post('/predict', loan, { origin: from });
    expect(corsHeaderNames(headers)).toEqual(['vary']);
    const asked = await preflight(server, '/predict', from);
    expect(corsHeaderNames(asked.headers)).toEqual(['vary']);
  });

  test('adds only Vary for a request without an origin', async () => {
    expect(corsHeaderNames((await server.post('/predict', loan)).headers)).toEqual(['vary']);
  });

  test.each([
    ['/predict', 'POST', 'POST'],
    ['/models/credit-risk/predict', 'POST', 'POST'],
    ['/models?x=1', 'GET', 'GET, HEAD'],
    ['/health/ready', 'GET', 'GET, HEAD'],
  ])('answers the preflight of %s for a listed origin', async (path, method, methods) => {
    const { status, headers, body } = await preflight(server, path, 'http://localhost:3000', method);
    expect([status, body]).toEqual([204, '']);
    expect(headers).toMatchObject({
      'access-control-allow-origin': 'http://localhost:3000',
      'access-control-allow-methods': methods,
      'access-control-allow-headers': expect.stringContaining('x-api-key'),
      'access-control-max-age': '7200',
      vary: 'Origin',
      'x-request-id': expect.any(String),
    });
    expect(headers).not.toHaveProperty('access-control-allow-credentials');
    expect(headers).not.toHaveProperty('content-type');
  });

  test('does not answer a preflight of an unknown address, or an OPTIONS that is no preflight', async () => {
    expect((await preflight(server, '/nope')).status).toBe(404);
    expect(
      (await server.app.inject({ method: 'OPTIONS', url: '/predict', headers: { origin } })).statusCode,
    ).toBe(405);
  });

  test('adds Vary to what a route chooses its answer by', async () => {
    const from = { origin };
    const varyOf = async (answer: Promise<TestAnswer>) => (await answer).headers['vary'];
    const batch = { instances: [loan] };
    expect(await varyOf(server.get('/', from))).toBe('Origin, accept');
    expect(await varyOf(server.get('/metrics', from))).toBe('Origin, accept');
    const waits = { ...from, prefer: 'wait=10' };
    for (const accept of ['application/json', 'application/x-ndjson', 'text/csv']) {
      expect(await varyOf(server.post('/predict/batch', batch, { ...waits, accept }))).toBe('Origin, accept');
    }
    const keyed = { ...from, 'idempotency-key': 'a' };
    const { body: job } = await server.post('/predict/batch', batch, keyed);
    const path = `/predict/batch/${job.job_id}`;
    await expect.poll(async () => (await server.get(path)).body.status).toBe('completed');
    expect(await varyOf(server.get(`${path}/results`, from))).toBe('Origin, accept, accept-encoding');
    const stored = server.post('/predict/batch', batch, { ...waits, ...keyed });
    expect((await stored).body.results).toHaveLength(1);
    expect(await varyOf(stored)).toBe('Origin, accept');
  });

  test('"*" allows any origin, without Vary', async () => {
    await using server = await buildTestApp({ CORS_ORIGINS: '*' });
    const { headers } = await server.post('/predict', loan, { origin: 'null' });
    expect(headers['access-control-allow-origin']).toBe('*');
    expect(headers).not.toHaveProperty('vary');
    const asked = await preflight(server, '/predict', 'https://any.example');
    expect([asked.status, asked.headers['access-control-allow-origin']]).toEqual([204, '*']);
  });

  test('counts preflight requests of all addresses under one label', async () => {
    await using server = await buildEmptyApp(environment);
    for (const path of ['/predict', '/models/a', '/models/b/predict']) await preflight(server, path);
    const lines = (await server.get('/metrics')).text
      .split('\n')
      .filter((line) => line.startsWith('http_request_duration_seconds_count'));
    expect(lines).toEqual([
      'http_request_duration_seconds_count{method="any",route="unmatched",status="204"} 3',
    ]);
  });
});
