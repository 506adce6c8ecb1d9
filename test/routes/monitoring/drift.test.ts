import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildTestApp, type TestApp } from '../../helpers/app.js';
import { linearRegression } from '../../helpers/onnx-models.js';
import { createRegistryFolder } from '../../helpers/registry-folder.js';

const features = [
  { name: 'x', type: 'number' as const, nullable: true },
  { name: 'region', type: 'string' as const, enum: ['north', 'south', 'east'] },
];
const even = Array.from({ length: 1_000 }, (_unused, k) => k / 10);
const reference = (more: object = {}) =>
  JSON.stringify({
    rows: 1_000,
    features: {
      x: { missing: 0, sample: even },
      region: { missing: 0, counts: { north: 500, south: 500 } },
    },
    output: { prediction: { missing: 0, sample: even.map((x) => 2 * x) } },
    ...more,
  });

function createFolder() {
  const folder = createRegistryFolder();
  const add = (name: string, text: string | undefined) =>
    folder.addVersion(name, '1', {
      manifest: { task: 'regression', features },
      model: linearRegression([2, 0]),
      ...(text !== undefined && { files: { 'reference.json': text } }),
    });
  add('watched', reference());
  add('plain', undefined);
  folder.addVersion('secret', '1', {
    manifest: {
      task: 'regression',
      features: features.map((it) => ({ ...it, ...(it.name === 'region' && { sensitive: true }) })),
    },
    model: linearRegression([2, 0]),
    files: { 'reference.json': reference() },
  });
  add('empty', reference({ rows: 0, features: {}, output: {} }));
  add('foreign', reference({ features: { age: { missing: 0, sample: [1] } } }));
  add('mistyped', reference({ features: { x: { missing: 0, counts: { a: 1 } } } }));
  add('constant', reference({ features: { x: { missing: 0, sample: [5, 5, 5, 5] } } }));
  add('single', reference({ rows: 1, features: { x: { missing: 0, sample: [5] } } }));
  add('missing', reference({ features: { x: { missing: 1, sample: [] } } }));
  return folder;
}

const folder = createFolder();
let server: TestApp;
beforeAll(async () => {
  server = await buildTestApp({ MODELS_DIR: folder.path });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});
const predict = async (model: string, rows: readonly object[], headers = {}) => {
  for (const row of rows) {
    const answer = await server.post(`/models/${model}/predict`, row, headers);
    expect(answer.status, answer.text).toBe(200);
  }
};
const rowsOf = (
  count: number,
  x: (k: number) => number | null,
  region = (k: number) => ['north', 'south'][k % 2],
) => Array.from({ length: count }, (_unused, k) => ({ x: x(k), region: region(k) }));
const drift = async (model: string, query = '') => (await server.get(`/models/${model}/drift${query}`)).body;

describe('GET /models/:model/drift', () => {
  test('finds no drift in rows like the reference, and names what drifts in others', async () => {
    expect(await drift('watched')).toMatchObject({ status: 'collecting', reason: 'No rows have come yet.' });
    await predict(
      'watched',
      rowsOf(60, (k) => ((k * 37) % 100) + 0.05),
    );
    expect(await drift('watched')).toMatchObject({
      status: 'collecting',
      reason: '60 of at least 100 rows have come.',
      drift: null,
    });
    await predict(
      'watched',
      rowsOf(140, (k) => (((k + 60) * 37) % 100) + 0.05),
    );
    // What a person tries on the page says nothing about the traffic.
    await predict('watched', [{ x: 9_999, region: 'east' }], { 'x-sardonyx-source': 'console' });
    const calm = await drift('watched', '?distributions=true');
    expect(calm).toMatchObject({
      model: 'watched',
      model_version: '1',
      status: 'ok',
      threshold: 0.05,
      drift: false,
      window: { rows: 200, seen_rows: 200 },
      reference: { rows: 1_000 },
      features: {
        x: {
          type: 'number',
          test: 'kolmogorov_smirnov',
          drift: false,
          reference_values: 1_000,
          missing_rate: 0,
        },
        region: { type: 'string', test: 'chi_square', drift: false, unseen: 0 },
      },
      outputs: { prediction: { test: 'kolmogorov_smirnov', drift: false } },
    });
    expect(calm.features.x.distribution.bins).toHaveLength(10);
    expect(calm.features.x.distribution.reference[0]).toBeCloseTo(0.1, 5);
    expect(calm.features.region.distribution).toMatchObject({
      bins: [{ value: 'north' }, { value: 'south' }],
    });
    // Half of all rows are now higher, and of a region that the reference does not have.
    await predict(
      'watched',
      rowsOf(
        200,
        () => 150,
        () => 'east',
      ),
    );
    const shifted = await drift('watched');
    expect(shifted).toMatchObject({
      drift: true,
      features: { x: { drift: true, statistic: 0.5 }, region: { drift: true, unseen: 0.5 } },
      outputs: { prediction: { drift: true } },
    });
    expect(shifted.features.x.adjusted_p_value).toBeGreaterThanOrEqual(shifted.features.x.p_value);
    expect(shifted.features.x).not.toHaveProperty('distribution');
  });

  test.each([
    ['plain', 'The version has no reference.json'],
    ['foreign', 'is it of another model?'],
    ['mistyped', '/features/x must have "sample", since it is of type number'],
  ])('says why there is nothing to compare for %s', async (model, reason) => {
    await predict(
      model,
      rowsOf(1, () => 1),
    );
    expect(await drift(model)).toMatchObject({
      status: 'no_reference',
      drift: null,
      reason: expect.stringContaining(reason),
    });
  });

  test('of an empty reference says that it describes no column', async () => {
    await predict(
      'empty',
      rowsOf(1, () => 1),
    );
    expect(await drift('empty')).toMatchObject({ status: 'no_reference' });
  });

  test.each([
    ['constant', { x: { drift: true } }],
    // One value is no evidence.
    ['single', { x: { drift: false } }],
    // Each value was missing in training.
    ['missing', { x: { test: 'missing_rate', drift: true } }],
  ])('compares with a reference that is %s', async (model, found) => {
    await predict(
      model,
      rowsOf(150, (k) => k),
    );
    const answer = await drift(model);
    expect(answer).toMatchObject({ status: 'ok', features: found });
    expect(Object.keys(answer.features)).toEqual(Object.keys(found));
  });

  test('reads the references of the sample models', async () => {
    await using sample = await buildTestApp();
    for (const { name, versions } of (await sample.get('/models')).body.models) {
      for (const { version, task } of versions) {
        const { body } = await sample.get(`/models/${name}/drift?version=${version}`);
        expect(body.status, `${name} ${version}`).toBe(task === 'tensor' ? 'no_reference' : 'collecting');
      }
    }
  });

  test('shows no distribution of a sensitive feature', async () => {
    await predict(
      'secret',
      rowsOf(100, (k) => k),
    );
    const { features: found } = await drift('secret', '?distributions=true');
    expect(found.region.p_value).toBeDefined();
    expect(found.region).not.toHaveProperty('distribution');
    expect(found.x).toHaveProperty('distribution');
  });

  test('shows a reference that cannot be used in the notes of the version', async () => {
    const { body } = await server.get('/models/foreign');
    expect(JSON.stringify(body)).toContain('drift is not detected: reference.json');
  });

  test('refuses an unknown version and an unknown query', async () => {
    expect((await server.get('/models/watched/drift?version=9')).status).toBe(404);
    expect((await server.get('/models/watched/drift?versions=1')).status).toBe(400);
  });
});

test('without DRIFT nothing is watched', async () => {
  await using off = await buildTestApp({ MODELS_DIR: folder.path, DRIFT: 'off' });
  expect((await off.get('/models/watched/drift')).body).toMatchObject({ status: 'off' });
});
