import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { toEngineError } from '../../../src/inference/engine/engine-error.js';
import { loadOne, loadVersion, refusalOf } from '../../helpers/one-version.js';
import { gatherByValue, linearRegression, opset99, randomForest, slow } from '../../helpers/onnx-models.js';
import { createRegistryFolder } from '../../helpers/registry-folder.js';

const regression = (count = 1) => ({
  task: 'regression' as const,
  features: Array.from({ length: count }, (_, k) => ({ name: `f${k}`, type: 'number' as const })),
});

test('a loaded version does not keep the bytes of its model in memory', async () => {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  using registry = createRegistryFolder();
  const model = linearRegression(new Array<number>(8).fill(1));
  const padded = Buffer.concat([model, unusedField(64_000_000)]);
  const folder = registry.addVersion('m', '1', { manifest: regression(8), model: padded });
  const settle = async () => {
    for (let k = 0; k < 5; k += 1) {
      await new Promise(setImmediate);
      collect();
    }
    return process.memoryUsage().arrayBuffers;
  };
  const before = await settle();
  const loaded = await loadVersion(folder, 'm', '1');
  // The model has 64 MB. Servers of other test files in this process may take some at the same time.
  expect((await settle()) - before).toBeLessThan(32_000_000);
  loaded.retire();
});

/** The model's doc_string, field 6: text that is never read. */
function unusedField(bytes: number): Buffer {
  const length: number[] = [];
  for (let rest = bytes; rest > 0; rest >>>= 7) length.push((rest & 127) | (rest > 127 ? 128 : 0));
  return Buffer.concat([Buffer.from([(6 << 3) | 2, ...length]), Buffer.alloc(bytes, 'x')]);
}

test('the reason of the engine for a refusal has no source locations and no folders', async () => {
  const reason = await refusalOf(regression(), opset99());
  expect(reason).toMatch(/^the engine refuses model\.onnx: ONNX Runtime only \*guarantees\* support/);
  expect(reason).toContain('Opset 99');
  expect(reason).not.toMatch(/onnxruntime_src|\.h:\d|::|std::/);
});

test('the reason of a golden row that fails in the engine has no source locations', async () => {
  const golden = { instances: [{ f0: 1 }, { f0: 77 }], expected: [{ prediction: 20 }, { prediction: 1 }] };
  const reason = await refusalOf(regression(), gatherByValue(), golden);
  expect(reason).toMatch(/^1 of 2 golden rows fail \(row 1: .*out of data bounds/);
  expect(reason).not.toMatch(/onnxruntime_src|\.cc:\d|::/);
});

test.each([
  ['the manifest says so', { executor: 'isolated' as const }, linearRegression([2])],
  ["Loop is not on the list of operators that are safe on the server's thread", {}, slow(3)],
])('a version runs isolated because %s', async (reason, runtime, model) => {
  using version = await loadOne({ ...regression(), runtime }, model);
  expect(version.loaded.executorKind).toBe('isolated');
  expect(version.loaded.loadStats.executorReason).toBe(reason);
});

// On a busy machine the model may be isolated because it opens slowly.
test('a version with slow full batches runs isolated, or inline if the manifest says so', {
  retry: 2,
}, async () => {
  const model = randomForest(100, 8, 1);
  const manifest = { task: 'classification' as const, features: [{ name: 'f0', type: 'number' as const }] };
  using isolated = await loadOne({ ...manifest, runtime: { maxBatchRows: 4_096 } }, model);
  expect(isolated.loaded.executorKind).toBe('isolated');
  expect(isolated.loaded.loadStats.executorReason).toMatch(/^a run of 4096 rows takes \d/);
  using inline = await loadOne(
    { ...manifest, runtime: { maxBatchRows: 4_096, executor: 'inline' as const } },
    model,
  );
  expect(inline.loaded.executorKind).toBe('inline');
});

test.each([
  [
    '/onnxruntime_src/onnxruntime/core/graph/model.cc:202 onnxruntime::Model::Model(onnx::ModelProto&&, const std::function<void(int)>&) Unsupported model IR version: 99',
    'Unsupported model IR version: 99',
  ],
  [
    "Non-zero status code returned while running Gather node. Name:'/layer/Gather' Status Message: /onnxruntime_src/a.h:1 void ns::F(std::pair<int, char> (*)(int)) const [with T = float] indices (7) must be within [-4,3]",
    "Non-zero status code returned while running Gather node. Name:'/layer/Gather' Status Message: indices (7) must be within [-4,3]",
  ],
  [
    'tensorprotoutils.cc:1463 ValidateData Initializer W (float) is too large',
    'Initializer W (float) is too large',
  ],
  ['File /tmp/sardonyx-abc/w.bin is too short', 'File w.bin is too short'],
  ['Open /tmp/sardonyx-abc failed:\n no', 'Open . failed: no'],
  ['No Op registered for my.domain::Thing (v2)', 'No Op registered for my.domain::Thing (v2)'],
])('an engine error loses source locations and folders: %s', (text, wanted) => {
  const cause = new Error(text);
  const error = toEngineError(cause, '/tmp/sardonyx-abc');
  expect(error.message).toBe(wanted);
  expect(error.cause).toBe(cause);
});
