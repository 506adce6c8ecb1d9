import Fastify from 'fastify';
import { afterAll, describe, expect, test } from 'vitest';
import type { KeyEntry } from '../../src/auth/keys-file.js';
import { readConfig } from '../../src/config/read-config.js';
import auth from '../../src/plugins/auth.js';
import clientAddress from '../../src/plugins/client-address.js';
import metrics from '../../src/plugins/metrics.js';
import reload from '../../src/plugins/reload.js';
import { buildTestApp, type TestApp } from '../helpers/app.js';
import { entry, secretOf, withKey } from '../helpers/keys.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { shareTestApp } from '../helpers/shared-app.js';

const loan = { x: 1 };
const folder = createRegistryFolder();
afterAll(() => folder[Symbol.dispose]());
for (const name of ['main', 'mine', 'other']) {
  folder.addVersion(name, '1', {
    manifest: { task: 'regression', features: [{ name: 'x', type: 'number', example: 1 }] },
    model: linearRegression([2], 1),
  });
}
const models = { MODELS_DIR: folder.path, DEFAULT_MODEL: 'main' };
const mine = '/models/mine/predict';

const build = (keys: readonly KeyEntry[], environment: Record<string, string> = {}) =>
  buildTestApp({ ...models, API_KEYS: JSON.stringify(keys), ...environment });
const failuresOf = async ({ get }: TestApp, reason: string, headers = {}) =>
  Number(
    new RegExp(`auth_failures_total\\{reason="${reason}"\\} (\\d+)`).exec(
      (await get('/metrics', headers)).text,
    )?.[1],
  );

describe('a request', () => {
  const server = shareTestApp({ ...models, API_KEYS: JSON.stringify([entry('a'), entry('b')]) });

  test.each(['x-api-key', 'authorization'])('with a valid key in %s is answered', async (name) => {
    const value = name === 'authorization' ? `Bearer ${secretOf('a')}` : secretOf('a');
    for (let k = 0; k < 2; k += 1) {
      expect((await server.post('/predict', loan, { [name]: value })).status).toBe(200);
    }
  });

  test('without a key gets a 401 with www-authenticate', async () => {
    await using server = await build([entry('a')]);
    const answer = await server.post('/predict', loan);
    expect(answer.status).toBe(401);
    expect(answer.body).toMatchObject({ code: 'api_key_missing', title: 'An API key is needed' });
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="sardonyx"');
    expect(await failuresOf(server, 'missing')).toBe(1);
  });

  test.each<[string, Record<string, string>]>([
    ['is malformed', { 'x-api-key': 'not a key' }],
    ['is of another scheme', { authorization: 'Basic YTpi' }],
    ['differs between two headers', { ...withKey('a'), authorization: `Bearer ${secretOf('b')}` }],
  ])('whose key %s gets a 401', async (_, headers) => {
    expect(await server.post('/predict', loan, headers)).toMatchObject({
      status: 401,
      body: { code: 'api_key_missing' },
    });
  });

  test('with a key in the query gets a 401', async () => {
    for (const name of ['api_key', 'key', 'x-api-key', 'access_token']) {
      expect((await server.post(`/predict?${name}=${secretOf('a')}`, loan)).status).toBe(401);
    }
  });

  test('with an unknown key and one with an expired key get the same 403', async () => {
    await using server = await build([entry('a'), entry('old', { expires: '2020-01-01T00:00:00Z' })]);
    const bodies = [];
    for (const name of ['nobody', 'old', 'a-but-longer']) {
      const answer = await server.post('/predict', loan, { ...withKey(name), 'x-request-id': 'mine' });
      expect(answer.status).toBe(403);
      expect(answer.headers['www-authenticate']).toBe(undefined);
      bodies.push(answer.text);
    }
    expect(JSON.parse(bodies[0] as string).code).toBe('api_key_invalid');
    expect(new Set(bodies).size).toBe(1);
    expect(await failuresOf(server, 'invalid')).toBe(3);
  });

  test('without a key that fits is refused before its body is parsed', async () => {
    await using server = await build([entry('a', { scopes: ['read'] })]);
    for (const [headers, status] of [
      [{}, 401],
      [withKey('b'), 403],
      [withKey('a'), 403],
    ] as const) {
      expect((await server.post('/predict', '{"broken', headers)).status).toBe(status);
    }
  });

  test('to an unknown address needs no key', async () => {
    expect((await server.get('/nope')).status).toBe(404);
  });
});

describe('a key that is limited to some models', () => {
  const keys = [entry('a', { scopes: ['predict', 'read'], models: ['mine', 'planned'] })];

  test('gets the same 403 for another model, whether that model exists or not', async () => {
    await using server = await build(keys);
    const headers = { ...withKey('a'), 'x-request-id': 'mine' };
    const { body: example } = await server.get('/models/mine/versions/latest', headers);
    expect((await server.post('/models/mine/predict', example.example, headers)).status).toBe(200);
    const refusals = [
      await server.post('/models/other/predict', {}, headers),
      await server.post('/models/nope/predict', {}, headers),
      await server.post('/models/other/versions/2/predict', {}, headers),
      await server.post('/predict', loan, headers),
      await server.get('/models/other', headers),
      await server.get('/models/nope/versions/1', headers),
    ];
    expect(refusals[0]).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    expect(new Set(refusals.map(({ text }) => text)).size).toBe(1);
    expect(await failuresOf(server, 'forbidden')).toBe(6);
  });

  test('may use plain /predict if the default model is one of its models', async () => {
    await using server = await build(keys, { DEFAULT_MODEL: 'mine' });
    expect((await server.post('/predict', {}, withKey('a'))).status).toBe(400);
  });

  test('sees no other model in GET /models, nor in the 404 of a missing model', async () => {
    await using server = await build(keys);
    const { body } = await server.get('/models', withKey('a'));
    expect(body.models.map(({ name }: { name: string }) => name)).toEqual(['mine']);
    const missing = await server.post('/models/planned/predict', {}, withKey('a'));
    expect(missing).toMatchObject({ status: 404, body: { code: 'model_not_found' } });
    expect(missing.text).not.toMatch(/main|other/);
  });
});

describe('wrong keys from one address', () => {
  test('get a 429 after 20 in a minute, while valid keys still pass', async () => {
    await using server = await build([entry('a'), entry('b'), entry('reader', { scopes: ['read'] })]);
    expect((await server.post('/predict', loan, withKey('a'))).status).toBe(200);
    for (let k = 0; k < 20; k += 1) {
      expect((await server.post('/predict', loan, withKey(`wrong-${k}`))).status).toBe(403);
    }
    const blocked = await server.post('/predict', loan, withKey('wrong'));
    expect(blocked).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
    expect(Number(blocked.headers['retry-after'])).toBeGreaterThan(50);
    expect((await server.post('/predict', loan, { 'x-api-key': 'not a key' })).status).toBe(429);
    expect((await server.post('/predict', loan)).status).toBe(401);
    expect((await server.post('/predict', loan, withKey('a'))).status).toBe(200);
    expect((await server.post('/predict', loan, withKey('b'))).status).toBe(200);
    expect(await server.post('/predict', loan, withKey('reader'))).toMatchObject({
      status: 403,
      body: { code: 'forbidden' },
    });
  });

  test('do not block the clients of another IPv6 network', async () => {
    await using server = await build([entry('a')]);
    const ask = (remoteAddress: string) =>
      server.app.inject({ method: 'GET', url: '/models', headers: withKey('wrong'), remoteAddress });
    for (let k = 0; k < 21; k += 1) await ask(`2001:db8::${k}`);
    expect((await ask('2001:db8::ffff')).statusCode).toBe(429);
    expect((await ask('2001:db8:1::1')).statusCode).toBe(403);
  });
});

describe('METRICS_AUTH=key', () => {
  test('makes GET /metrics need a key with the scope metrics', async () => {
    await using server = await build([entry('a'), entry('m', { scopes: ['metrics'] })], {
      METRICS_AUTH: 'key',
    });
    expect((await server.get('/metrics')).status).toBe(401);
    expect((await server.get('/metrics', withKey('a'))).status).toBe(403);
    expect((await server.get('/metrics', withKey('m'))).status).toBe(200);
    expect(await failuresOf(server, 'forbidden', withKey('m'))).toBe(1);
  });
});

describe('the id of the key', () => {
  test('is in the log line of each request and in the prediction event', async () => {
    await using server = await build([entry('a'), { ...entry('b'), id: 'a' }], { LOG_LEVEL: 'debug' });
    const events: unknown[] = [];
    server.app.predictions.subscribe((event) => events.push(event));
    await server.post('/predict', loan, withKey('b'));
    await server.post('/models/other/predict', {}, withKey('a'));
    await server.get('/models', withKey('a'));
    await server.get('/health');
    expect(events).toMatchObject([
      { keyId: 'a', status: 'ok' },
      { keyId: 'a', status: 'invalid_input' },
    ]);
    const lines = server.logs.filter(({ msg }) => msg === 'request');
    expect(lines.map(({ path, status, key }) => [path, status, key])).toEqual([
      ['/predict', 200, 'a'],
      ['/models/other/predict', 400, 'a'],
      ['/models', 403, 'a'],
      ['/health', 200, undefined],
    ]);
    expect(JSON.stringify(server.logs)).not.toContain('sdx_');
  });

  test('is undefined if the server needs no keys', async () => {
    await using server = await buildTestApp(models);
    const events: { keyId?: string | undefined }[] = [];
    server.app.predictions.subscribe((event) => events.push(event));
    await server.post('/predict', loan, withKey('a'));
    expect(events[0]?.keyId).toBe(undefined);
  });
});

describe('the start', () => {
  const start = async (config: object, environment: Record<string, string> = {}) => {
    const app = Fastify();
    await app.register(metrics);
    await app.register(clientAddress, {});
    await app.register(reload);
    await app.register(auth, readConfig(environment));
    app.get('/a', { config: config as never }, async () => 'a');
    await app.ready();
    return app;
  };

  test('fails for a route without a scope, with keys and without', async () => {
    for (const environment of [{}, { API_KEYS: JSON.stringify([entry('a')]) }]) {
      await expect(start({}, environment)).rejects.toThrow('GET /a does not say which scope it needs');
    }
  });

  test('fails for a route without a model', async () => {
    await expect(start({ scope: 'predict' })).rejects.toThrow('GET /a does not say which model it is about');
  });

  test('a route with the model in its query is for keys of that model, or of all models', async () => {
    const keys = [entry('all', { scopes: ['admin'] }), entry('one', { scopes: ['admin'], models: ['m'] })];
    const app = await start({ scope: 'admin', model: 'query' }, { API_KEYS: JSON.stringify(keys) });
    const registry = { names: ['m', 'n'], resolveName: (name: string) => name, defaultName: undefined };
    Object.assign(app, { registry });
    const statusOf = async (url: string, name: string) =>
      (await app.inject({ url, headers: withKey(name) })).statusCode;
    expect(await statusOf('/a', 'all')).toBe(200);
    expect(await statusOf('/a', 'one')).toBe(403);
    expect(await statusOf('/a?model=m', 'one')).toBe(200);
    expect(await statusOf('/a?model=n', 'one')).toBe(403);
    expect(await statusOf('/a?model=m&model=n', 'one')).toBe(403);
    await app.close();
  });

  test('without any key logs a warning, and requests get 401', async () => {
    await using server = await build([]);
    expect(server.logs).toContainEqual(
      expect.objectContaining({
        level: 40,
        msg: 'there is no API key yet: requests to routes that need one are refused',
      }),
    );
    expect((await server.post('/predict', loan)).status).toBe(401);
  });
});

describe('the manual', () => {
  test('is open, and shows which routes need a key and in which header', async () => {
    await using server = await build([entry('a')]);
    expect((await server.get('/docs')).status).toBe(200);
    const { body } = await server.get('/openapi.json');
    expect(Object.keys(body.components.securitySchemes)).toEqual(['apiKey', 'bearer']);
    const { post } = body.paths['/models/other/predict'];
    expect(post.security).toEqual([{ apiKey: [] }, { bearer: [] }]);
    expect(Object.keys(post.responses)).toEqual(expect.arrayContaining(['401', '403']));
    expect(body.paths['/models'].get.security).toBeDefined();
    expect(body.paths['/health'].get.security).toBe(undefined);
  });

  test('does not mention keys if the server needs none', async () => {
    await using server = await buildTestApp(models);
    const { body } = await server.get('/openapi.json');
    const { post } = body.paths['/models/other/predict'];
    expect([body.components.securitySchemes, post.security, post.responses['401']]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});

test('a HEAD route needs the same scope as its GET route', async () => {
  await using server = await build([entry('a', { scopes: ['read'] })]);
  const statusOf = async (headers: Record<string, string>) =>
    (await server.app.inject({ method: 'HEAD', url: '/models', headers })).statusCode;
  expect(await statusOf({})).toBe(401);
  expect(await statusOf(withKey('a'))).toBe(200);
  expect((await server.app.inject({ method: 'HEAD', url: mine, headers: withKey('a') })).statusCode).toBe(
    405,
  );
});

test('a refused request counts for the limit of its key, or of its address, as any other one', async () => {
  await using server = await buildTestApp({
    API_KEYS: JSON.stringify([entry('client', { scopes: ['read'] })]),
    RATE_LIMIT_MAX: '2',
    METRICS_AUTH: 'key',
  });
  const statuses = async (path: string, headers: Record<string, string>) => {
    const found = [];
    for (let k = 0; k < 3; k += 1) found.push((await server.post(path, {}, headers)).status);
    return found;
  };
  expect(await statuses('/predict', withKey('client'))).toEqual([403, 403, 429]);
  expect(await statuses('/predict', {})).toEqual([401, 401, 429]);
  expect((await server.post('/unknown', {})).status).toBe(429);
  // Scrapes have no limit, with or without a key.
  for (let k = 0; k < 5; k += 1) expect((await server.get('/metrics')).status).toBe(401);
});
