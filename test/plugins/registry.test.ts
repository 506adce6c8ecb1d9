import { expect, test } from 'vitest';
import { buildTestApp } from '../helpers/app.js';
import { slow } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';

const manifest = { task: 'regression', features: [{ name: 'x', type: 'number', example: 1 }] } as const;

test('a version that loads for more than 5 s is logged until it is loaded or refused', async () => {
  using folder = createRegistryFolder();
  // Its warm-up never ends.
  folder.addVersion('endless', '1', { manifest, model: slow(1e9) });
  await using server = await buildTestApp({ MODELS_DIR: folder.path, MODEL_LOAD_TIMEOUT_MS: '6000' });
  expect(server.logs.map(({ msg }) => msg)).toEqual(
    expect.arrayContaining(['a version is still loading', 'version refused']),
  );
  const lines = server.logs.filter(({ msg }) => msg === 'a version is still loading');
  expect(lines).toMatchObject([{ model: 'endless', model_version: '1', seconds: 5 }]);
}, 20_000);
