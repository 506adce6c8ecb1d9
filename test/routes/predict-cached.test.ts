import { describe, expect, test } from 'vitest';
import { buildTestApp, type TestApp } from '../helpers/app.js';
import { linearRegression, noisy } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';

const features = [
  { name: 'a', type: 'number' as const },
  { name: 'b', type: 'number' as const },
];
// Runs of these models cost less than the cache, so by default their answers are not cached.
const runtime = { cache: true };
const manifest = { task: 'regression' as const, features, runtime };

async function withModels(work: (server: TestApp) => Promise<void>): Promise<void> {
  using folder = createRegistryFolder();
  folder.addVersion('sum', '1', { manifest, model: linearRegression([1, 10]) });
  folder.addVersion('twin', '1', { manifest, model: linearRegression([2, 20]) });
  folder.addVersion('off', '1', {
    manifest: { ...manifest, runtime: { cache: false } },
    model: linearRegression([1, 1]),
  });
  const [feature] = features;
  folder.addVersion('noise', '1', {
    manifest: {
      task: 'regression',
      features: [feature as (typeof features)[0]],
      allow: ['randomness'],
    },
    model: noisy(),
  });
  folder.addVersion('image', '1', {
    manifest: { task: 'tensor', runtime },
    model: linearRegression([1, 10]),
  });
  await using server = await buildTestApp({ MODELS_DIR: folder.path, CACHE: 'memory' });
  await work(server);
}

const countOf = async (server: TestApp, model: string, result: string) => {
  const { text } = await server.get('/metrics');
  const line = new RegExp(
    `^prediction_cache_requests_total\\{model="${model}",result="${result}"\\} (\\d+)$`,
    'm',
  );
  return Number(line.exec(text)?.[1] ?? 0);
};

describe('POST /models/:model/predict with a cache', () => {
  test('answers an equal row in another order and spelling from the cache, with a new prediction id', async () => {
    await withModels(async (server) => {
      const first = await server.post('/models/sum/predict', '{"a":1,"b":2}');
      const second = await server.post('/models/sum/predict', '{"b":2.0,"a":1e0}');
      expect(first.headers['x-cache']).toBe('miss');
      expect(second.headers['x-cache']).toBe('hit');
      expect(first.headers['server-timing']).toMatch(/^queue;dur=/);
      expect(second.headers['server-timing']).toBeUndefined();
      const { prediction_id: one, ...answer } = first.body;
      const { prediction_id: other, ...again } = second.body;
      expect(again).toEqual(answer);
      expect(answer.prediction).toBe(21);
      expect(other).not.toBe(one);
      expect(await countOf(server, 'sum', 'miss')).toBe(1);
      expect(await countOf(server, 'sum', 'hit')).toBe(1);
    });
  });

  test('refuses an unknown feature beside a cached row', async () => {
    await withModels(async (server) => {
      await server.post('/models/sum/predict', { a: 1, b: 2 });
      const answer = await server.post('/models/sum/predict', { a: 1, b: 2, c: 3 });
      expect(answer.status).toBe(400);
      expect(answer.body.code).toBe('invalid_input');
    });
  });

  test('never gives the answer of another model', async () => {
    await withModels(async (server) => {
      expect((await server.post('/models/sum/predict', { a: 1, b: 1 })).body.prediction).toBe(11);
      const twin = await server.post('/models/twin/predict', { a: 1, b: 1 });
      expect(twin.headers['x-cache']).toBe('miss');
      expect(twin.body.prediction).toBe(22);
    });
  });

  test.each([
    ['no-cache', 'miss', 'hit'],
    ['No-Cache, max-age=0', 'miss', 'hit'],
    ['no-store', 'off', 'miss'],
    ['max-age=60', 'miss', 'hit'],
  ])(
    'answers Cache-Control: %s with x-cache %s, and the next request with %s',
    async (value, shown, then) => {
      await withModels(async (server) => {
        const body = { a: 3, b: 4 };
        const answer = await server.post('/models/sum/predict', body, { 'cache-control': value });
        expect(answer.headers['x-cache']).toBe(shown);
        expect((await server.post('/models/sum/predict', body)).headers['x-cache']).toBe(then);
      });
    },
  );

  test('computes a cached answer anew with no-cache', async () => {
    await withModels(async (server) => {
      await server.post('/models/sum/predict', { a: 1, b: 2 });
      const fresh = await server.post('/models/sum/predict', { a: 1, b: 2 }, { 'cache-control': 'no-cache' });
      expect(fresh.headers['x-cache']).toBe('miss');
      expect(fresh.headers['server-timing']).toBeDefined();
      expect(await countOf(server, 'sum', 'bypass')).toBe(1);
    });
  });

  test.each(['off', 'noise'])(
    'does not cache answers of the model %s, and shows the reason',
    async (model) => {
      await withModels(async (server) => {
        const body = model === 'off' ? { a: 1, b: 1 } : { a: 1 };
        const answers = [
          await server.post(`/models/${model}/predict`, body),
          await server.post(`/models/${model}/predict`, body),
        ];
        expect(answers.map(({ headers }) => headers['x-cache'])).toEqual(['off', 'off']);
        const [version] = (await server.get(`/models/${model}`)).body.versions;
        expect(version.cache).toBe('off');
        expect(version.cache_reason).toMatch(/manifest|RandomNormalLike/);
      });
    },
  );

  test('caches all outputs of equal tensors, whichever outputs a request selects', async () => {
    await withModels(async (server) => {
      const ask = (inputs: unknown, more: object = {}) =>
        server.post('/models/image/predict', { inputs: { X: inputs }, ...more });
      const results = [
        await ask([[1, 2]]),
        await ask({ shape: [1, 2], data: [1, 2] }),
        await ask([[2, 1]]),
        await ask([[1, 2]], { outputs: ['variable'] }),
        await ask([
          [1, 2],
          [1, 2],
        ]),
      ];
      expect(results.map(({ headers }) => headers['x-cache'])).toEqual([
        'miss',
        'hit',
        'miss',
        'hit',
        'miss',
      ]);
      expect(results[1]?.body.outputs).toEqual({ variable: [[21]] });
    });
  });

  test('runs the model once for a hundred equal rows at the same time', async () => {
    await withModels(async (server) => {
      const all = await Promise.all(
        Array.from({ length: 100 }, () => server.post('/models/sum/predict', { a: 5, b: 5 })),
      );
      expect(all.filter(({ headers }) => headers['x-cache'] === 'miss')).toHaveLength(1);
      expect(new Set(all.map(({ body }) => body.prediction_id)).size).toBe(100);
      expect(new Set(all.map(({ body }) => body.prediction))).toEqual(new Set([55]));
    });
  });
});
