import { expect, test } from 'vitest';
import { buildTestApp } from '../helpers/app.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';

const manifest = {
  task: 'regression' as const,
  features: [{ name: 'a', type: 'number' as const }],
  runtime: { cache: true },
};

test('DELETE /admin/cache clears the cached answers of one model, or of all models', async () => {
  using folder = createRegistryFolder();
  for (const model of ['one', 'two'])
    folder.addVersion(model, '1', { manifest, model: linearRegression([1]) });
  await using server = await buildTestApp({ MODELS_DIR: folder.path, CACHE: 'memory' });
  const ask = async (model: string, a: number) =>
    (await server.post(`/models/${model}/predict`, { a })).headers['x-cache'];
  const clear = async (query = '') => {
    const reply = await server.app.inject({ method: 'DELETE', url: `/admin/cache${query}` });
    return { status: reply.statusCode, body: reply.json() };
  };
  for (const a of [1, 2]) await ask('one', a);
  await ask('two', 1);

  expect(await clear('?model=one')).toEqual({ status: 200, body: { models: ['one'], entries: 2 } });
  expect(await ask('one', 1)).toBe('miss');
  expect(await ask('two', 1)).toBe('hit');
  expect(await clear()).toEqual({ status: 200, body: { models: ['one', 'two'], entries: 2 } });
  expect(await ask('two', 1)).toBe('miss');
  expect((await clear('?model=three')).body.code).toBe('model_not_found');
  expect((await clear('?modle=one')).body.code).toBe('invalid_request');
});
