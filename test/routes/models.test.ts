import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { buildTestApp } from '../helpers/app.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder, type VersionParts } from '../helpers/registry-folder.js';
import { shareTestApp } from '../helpers/shared-app.js';

const manifest = {
  task: 'regression',
  features: [
    { name: 'a', type: 'number' },
    { name: 'b', type: 'number' },
  ],
} satisfies VersionParts['manifest'];

const server = shareTestApp();

describe('GET /models', () => {
  test('lists every model with its versions, aliases and identities', async () => {
    const { status, body } = await server.get('/models');
    expect(status).toBe(200);
    const names = body.models.map(({ name }: { name: string }) => name);
    expect(names).toEqual(['breast-cancer', 'churn', 'credit-risk', 'diabetes', 'digits']);
    expect(body.models[2]).toMatchObject({
      default_version: '20261115_143000',
      aliases: { challenger: { version: '20261101_090000' } },
      versions: [
        { version: '20261101_090000', state: 'ready', executor: 'inline', task: 'classification' },
        { version: '20261115_143000', state: 'ready', training_samples: 10_000 },
      ],
    });
    expect(body.models[2].versions[0].identity).toMatch(/^[0-9a-f]{64}$/);
  });

  test('shows an output that is left out of a version, and how to fix that', async () => {
    using registry = createRegistryFolder();
    const model = readFileSync('test/cases/multioutput-sequence/model.onnx');
    registry.addVersion('m', '1', { manifest: { task: 'tensor' }, model });
    await using server = await buildTestApp({ MODELS_DIR: registry.path });
    const notes = [
      'the output probabilities is left out: it is a sequence of float32, which cannot be served: export its content as separate tensor outputs',
    ];
    expect((await server.get('/models/m')).body.versions).toMatchObject([{ version: '1', notes }]);
    expect((await server.get('/models/m/versions/1')).body).toMatchObject({ notes });
  });

  test('shows the reason of a refused version, which a prediction hides', async () => {
    using folder = createRegistryFolder();
    folder.addVersion('sum', '1', { manifest, model: linearRegression([1, 1]) });
    folder.addVersion('sum', '2', {
      manifest: { ...manifest, sha256: { 'model.onnx': '0'.repeat(64) } },
      model: linearRegression([1, 1]),
    });
    await using server = await buildTestApp({ MODELS_DIR: folder.path });
    const { body } = await server.get('/models/sum');
    expect(body.default_version).toBe('1');
    expect(body.versions[1]).toMatchObject({ version: '2', state: 'refused' });
    expect(body.versions[1].reason).toMatch(/^model\.onnx has SHA-256 /);
    const prediction = await server.post('/models/sum/versions/2/predict', { a: 1, b: 2 });
    expect(prediction).toMatchObject({ status: 503, body: { code: 'model_unavailable' } });
    // A refused version is not loaded again, so a retry is useless.
    expect(prediction.headers['retry-after']).toBeUndefined();
    expect(prediction.text).not.toContain(folder.path);
  });

  test('shows the problem of an alias of a missing version, and the model still answers', async () => {
    using folder = createRegistryFolder();
    folder.addVersion('sum', '1', { manifest, model: linearRegression([1, 1]) });
    folder.write('sum/aliases.json', { next: '9' });
    await using server = await buildTestApp({ MODELS_DIR: folder.path });
    const { body } = await server.get('/models/sum');
    expect(body.aliases.next).toMatchObject({ version: '9', problem: expect.stringContaining('9') });
    expect((await server.post('/models/sum/versions/next/predict', { a: 1, b: 2 })).status).toBe(503);
    expect(await server.get('/models/sum/versions/next')).toMatchObject({
      status: 503,
      body: { code: 'model_unavailable' },
    });
    expect((await server.post('/predict', { a: 1, b: 2 })).body.prediction).toBe(3);
  });
});

test('GET /models shows why the aliases of the registry are not in force', async () => {
  using folder = createRegistryFolder();
  folder.addVersion('sum', '1', { manifest, model: linearRegression([1, 1]) });
  folder.write('aliases.json', '{');
  await using server = await buildTestApp({ MODELS_DIR: folder.path });
  expect((await server.get('/models')).body.alias_problem).toContain('not valid JSON');
});

describe('GET /models/:model/versions/:version', () => {
  test('returns features, the schema of a request, and an example that the model answers', async () => {
    const { status, body } = await server.get('/models/credit-risk/versions/challenger');
    expect(status).toBe(200);
    expect(body).toMatchObject({ model: 'credit-risk', version: '20261101_090000', state: 'ready' });
    expect(body.features.map(({ name }: { name: string }) => name)).toEqual([
      'age',
      'income',
      'credit_score',
    ]);
    expect(body.request_schema.properties.age).toMatchObject({ minimum: 18, maximum: 100 });
    expect((await server.post('/models/credit-risk/predict', body.example)).status).toBe(200);
  });

  test.each([
    ['/models/nope', 'model_not_found'],
    ['/models/nope/versions/1', 'model_not_found'],
    ['/models/credit-risk/versions/nope', 'version_not_found'],
  ])('is 404 for %s: %s', async (path, code) => {
    expect(await server.get(path)).toMatchObject({ status: 404, body: { code } });
  });
});
