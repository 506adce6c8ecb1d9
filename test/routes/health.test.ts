import { describe, expect, test } from 'vitest';
import { buildTestApp } from '../helpers/app.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder, type RegistryFolder, type VersionParts } from '../helpers/registry-folder.js';

/** A registry with a sound model `good` and a model `bad` whose only version is refused. */
function createMixedRegistry(): RegistryFolder {
  const folder = createRegistryFolder();
  const manifest = {
    task: 'regression',
    features: [
      { name: 'a', type: 'number' },
      { name: 'b', type: 'number' },
    ],
  } satisfies VersionParts['manifest'];
  folder.addVersion('good', '1', { manifest, model: linearRegression([1, 1]) });
  folder.addVersion('bad', '1', { manifest, model: Buffer.from('junk') });
  return folder;
}

describe('health', () => {
  test('is live and ready with the sample models', async () => {
    await using server = await buildTestApp();
    expect(await server.get('/health/live')).toMatchObject({ status: 200, body: { status: 'ok' } });
    expect(await server.get('/health/ready')).toMatchObject({ status: 200, body: { status: 'ready' } });
    const { status, body, headers } = await server.get('/health');
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: 'ok', model_loaded: true, version: '0.1.0' });
    expect(body.models['credit-risk']).toEqual({
      can_answer: true,
      default_version: '20261115_143000',
      refused: 0,
    });
    expect(headers['cache-control']).toBe('no-store');
  });

  test('is live and never ready without any model', async () => {
    using folder = createRegistryFolder();
    await using server = await buildTestApp({ MODELS_DIR: folder.path });
    expect((await server.get('/health/live')).status).toBe(200);
    const ready = await server.get('/health/ready');
    expect(ready).toMatchObject({
      status: 503,
      body: { status: 'not_ready', reasons: ['no model can answer'] },
    });
    expect(ready.headers['retry-after']).toBeUndefined();
    expect((await server.get('/health')).body).toMatchObject({ status: 'degraded', model_loaded: false });
  });

  test('is ready but degraded with a refused model that is not required', async () => {
    using folder = createMixedRegistry();
    await using server = await buildTestApp({ MODELS_DIR: folder.path });
    expect((await server.get('/health/ready')).status).toBe(200);
    const { body } = await server.get('/health');
    expect(body).toMatchObject({ status: 'degraded', model_loaded: true });
    expect(body.models.bad).toEqual({ can_answer: false, default_version: null, refused: 1 });
  });

  test.each(['all', 'bad', 'good, bad', 'good,absent'])(
    'is not ready with REQUIRED_MODELS=%s while one of them cannot answer',
    async (required) => {
      using folder = createMixedRegistry();
      await using server = await buildTestApp({ MODELS_DIR: folder.path, REQUIRED_MODELS: required });
      const { status, body } = await server.get('/health/ready');
      expect(status).toBe(503);
      expect(body.reasons.join()).toMatch(/bad|absent/);
    },
  );

  test('is not ready if the default model is refused', async () => {
    using folder = createMixedRegistry();
    await using server = await buildTestApp({ MODELS_DIR: folder.path, DEFAULT_MODEL: 'bad' });
    expect((await server.get('/health/ready')).status).toBe(503);
  });

  test('is not ready while the server drains, and other requests are answered', async () => {
    await using server = await buildTestApp();
    server.app.drain();
    expect(await server.get('/health/ready')).toMatchObject({
      status: 503,
      body: { reasons: ['the server is draining'] },
    });
    expect((await server.get('/health')).body.status).toBe('draining');
    expect((await server.get('/health/live')).status).toBe(200);
    const loan = { age: 42, income: 51234.5, credit_score: 688 };
    expect((await server.post('/predict', loan)).status).toBe(200);
  });
});
