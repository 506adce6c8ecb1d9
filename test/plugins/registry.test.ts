import { expect, onTestFinished, test, vi } from 'vitest';
import { RunnerPool } from '../../src/inference/runner/runner-pool.js';
import { buildTestApp } from '../helpers/app.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';

const manifest = { task: 'regression', features: [{ name: 'x', type: 'number', example: 1 }] } as const;

test('a version that loads for more than 5 s is logged until it is loaded or refused', async () => {
  using folder = createRegistryFolder();
  folder.addVersion('endless', '1', { manifest, model: linearRegression([2]) });
  // The child that tries it is suspended, and never answers.
  const original = RunnerPool.prototype.take;
  const take = vi.spyOn(RunnerPool.prototype, 'take').mockImplementation(function (this: RunnerPool) {
    const child = original.call(this);
    process.kill(child.pid as number, 'SIGSTOP');
    return child;
  });
  onTestFinished(() => take.mockRestore());
  await using server = await buildTestApp({ MODELS_DIR: folder.path, MODEL_LOAD_TIMEOUT_MS: '6000' });
  expect(server.logs.map(({ msg }) => msg)).toEqual(
    expect.arrayContaining(['a version is still loading', 'version refused']),
  );
  const lines = server.logs.filter(({ msg }) => msg === 'a version is still loading');
  expect(lines).toMatchObject([{ model: 'endless', model_version: '1', seconds: 5 }]);
}, 20_000);
