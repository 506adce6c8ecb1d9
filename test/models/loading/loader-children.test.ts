import { afterAll, expect, test, vi } from 'vitest';
import { IsolatedExecutor } from '../../../src/inference/runner/isolated-executor.js';
import type { Manifest } from '../../../src/models/manifest/manifest.js';
import { answerBody, loaderOf } from '../../helpers/one-version.js';
import { linearRegression, slow } from '../../helpers/onnx-models.js';
import { createRegistryFolder } from '../../helpers/registry-folder.js';

const folder = createRegistryFolder();
const features = [{ name: 'x', type: 'number' as const, example: 1 }];
let versions = 0;
function add(model: Uint8Array, runtime: Manifest['runtime'] = {}): [string, string, string] {
  versions += 1;
  const version = String(versions);
  const path = folder.addVersion('m', version, {
    manifest: { task: 'regression', features, runtime },
    model,
  });
  return [path, 'm', version];
}
const loader = loaderOf();
afterAll(() => {
  loader.close();
  folder[Symbol.dispose]();
});

test('a load returns the measurements of the child', async () => {
  const loaded = await loader.load(...add(linearRegression([2])));
  expect(loaded.executorKind).toBe('inline');
  expect(loaded.loadStats).toMatchObject({ batchRows: 256, outputBytes: 1_024, goldenRows: 0 });
  const { openMs, runMs, loadMs, memoryBytes } = loaded.loadStats;
  expect(openMs).toBeGreaterThan(0);
  expect(runMs).toBeGreaterThan(0);
  expect(loadMs).toBeGreaterThan(openMs);
  expect(memoryBytes).toBeGreaterThanOrEqual(0);
  loaded.retire();
});

test('an isolated version keeps the child that tried it, and reports the whole memory of the child', async () => {
  const loaded = await loader.load(...add(linearRegression([2]), { executor: 'isolated' }));
  expect(loaded.executorKind).toBe('isolated');
  expect(loaded.loadStats.memoryBytes).toBeGreaterThan(1e7);
  const { fieldsJson: members } = await answerBody(loaded, { x: 4 });
  expect(members).toBe('"prediction":8');
  loaded.retire();
});

test('a batch has fewer rows if its outputs would be over the limit', async () => {
  const small = loaderOf({ maxOutputBytes: 40 });
  const loaded = await small.load(...add(linearRegression([2]), { maxBatchRows: 100 }));
  expect(loaded.loadStats.batchRows).toBe(10);
  loaded.retire();
  small.close();
});

test('a version whose first run does not end is refused, and the next version loads', async () => {
  const impatient = loaderOf({ loadTimeoutMs: 2_000 });
  const manifest = { task: 'regression' as const, features: [{ ...features[0], example: 1e9 }] };
  const path = folder.addVersion('m', '1000', { manifest: manifest as never, model: slow() });
  await expect(impatient.load(path, 'm', '1000')).rejects.toThrow(
    /does not survive model\.onnx: the engine took more than 2000 ms \(MODEL_LOAD_TIMEOUT_MS\)/,
  );
  (await impatient.load(...add(linearRegression([2])))).retire();
  impatient.close();
});

test('a version that needs more memory than a child may use is refused', async () => {
  const poor = loaderOf({ maxMemoryBytes: 1e6, loadTimeoutMs: 10_000 });
  const manifest = { task: 'regression' as const, features: [{ ...features[0], example: 1e9 }] };
  const path = folder.addVersion('m', '1001', { manifest: manifest as never, model: slow() });
  await expect(poor.load(path, 'm', '1001')).rejects.toThrow(/MAX_MODEL_MEMORY_MB/);
  poor.close();
});

test('a version whose run of one row exceeds timeoutMs is refused', async () => {
  const path = add(slow(1_000), { timeoutMs: 1 });
  await expect(loader.load(...path)).rejects.toThrow(/a run of one row takes \d+ ms, and timeoutMs is 1/);
});

test('a run of several rows of an isolated version has a quarter of their time, which leaves the rest for a run of each', async () => {
  const loaded = await loader.load(...add(linearRegression([2]), { executor: 'isolated', timeoutMs: 4_000 }));
  const runs = vi.spyOn(IsolatedExecutor.prototype, 'run');
  const answers = await Promise.all([1, 2].map((x) => answerBody(loaded, { x })));
  expect(answers.map(({ timing }) => timing?.batchRows)).toEqual([2, 2]);
  expect(runs.mock.calls.map(([, , limitMs]) => limitMs)).toEqual([1_000]);
  runs.mockRestore();
  loaded.retire();
});

test('a load that the end of the loader cuts off does not blame the model', async () => {
  const closed = loaderOf();
  const loading = closed.load(...add(linearRegression([2])));
  closed.close();
  await expect(loading).rejects.toMatchObject({ name: 'AbortError' });
});
