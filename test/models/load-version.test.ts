import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { toEngineError } from '../../src/inference/engine-error.js';
import { loadVersion } from '../../src/models/load-version.js';
import { loadOne, refusalOf } from '../helpers/one-version.js';
import { gatherByValue, linearRegression, opset99 } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';

const regression = (count = 1) => ({
  task: 'regression' as const,
  features: Array.from({ length: count }, (_, k) => ({ name: `f${k}`, type: 'number' as const })),
});

test('a loaded version does not hold on to the bytes of its model', async () => {
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
  expect((await settle()) - before).toBeLessThan(1_000_000);
  loaded.retire();
});

/** The model's doc_string, field 6: text that nobody reads. */
function unusedField(bytes: number): Buffer {
  const length: number[] = [];
  for (let rest = bytes; rest > 0; rest >>>= 7) length.push((rest & 127) | (rest > 127 ? 128 : 0));
  return Buffer.concat([Buffer.from([(6 << 3) | 2, ...length]), Buffer.alloc(bytes, 'x')]);
}

test('why the engine refuses a model is told without its sources and without folders', async () => {
  const reason = await refusalOf(regression(), opset99());
  expect(reason).toMatch(/^the engine refuses model\.onnx: ONNX Runtime only \*guarantees\* support/);
  expect(reason).toContain('Opset 99');
  expect(reason).not.toMatch(/onnxruntime_src|\.h:\d|::|std::/);
});

test('why a golden row fails in the engine is told without its sources', async () => {
  const golden = { instances: [{ f0: 1 }, { f0: 77 }], expected: [{ prediction: 20 }, { prediction: 1 }] };
  const reason = await refusalOf(regression(), gatherByValue(), golden);
  expect(reason).toMatch(/^1 of 2 golden rows fail \(row 1: .*out of data bounds/);
  expect(reason).not.toMatch(/onnxruntime_src|\.cc:\d|::/);
});

test('an isolated executor is refused until there is one', async () => {
  const manifest = { ...regression(), runtime: { executor: 'isolated' as const } };
  await expect(loadOne(manifest, linearRegression([1]))).rejects.toThrow('/runtime/executor is "isolated"');
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
])('%s', (text, wanted) => {
  const cause = new Error(text);
  const error = toEngineError(cause, '/tmp/sardonyx-abc');
  expect(error.message).toBe(wanted);
  expect(error.cause).toBe(cause);
});
