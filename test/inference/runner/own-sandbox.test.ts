import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { EngineError } from '../../../src/inference/engine/engine-error.js';
import { OwnSandboxes } from '../../../src/inference/runner/own-sandbox.js';
import { answerBody, loaderOf } from '../../helpers/one-version.js';
import { linearRegression, opset99 } from '../../helpers/onnx-models.js';
import { childrenOf } from '../../helpers/processes.js';

const column = (...values: number[]) => ({
  X: { type: 'float32' as const, dims: [values.length, 1], data: Float32Array.from(values) },
});

test('a model is open in this process, with the measurements of a child, and its outputs have their limit', async () => {
  const sandbox = await new OwnSandboxes(16).open({
    model: { bytes: linearRegression([2]) },
    threads: 1,
    title: 'unused',
  });
  expect((await sandbox.run(column(3), ['variable']))['variable']?.data[0]).toBe(6);
  expect(sandbox.openMs).toBeGreaterThan(0);
  // The kernel counts in ticks: a small model may take none.
  expect(sandbox.openCpuMs).toBeGreaterThanOrEqual(0);
  expect(sandbox.lastRunMs).toBeGreaterThan(0);
  expect((await sandbox.measure()).residentBytes).toBeGreaterThan(1e7);
  await expect(sandbox.run(column(1, 2, 3, 4, 5), ['variable'])).rejects.toMatchObject({
    code: 'output_too_large',
  });
  await sandbox.close();
});

test('a model that the engine refuses is refused', async () => {
  const opened = new OwnSandboxes(1e6).open({ model: { bytes: opset99() }, threads: 1, title: 'unused' });
  await expect(opened).rejects.toThrow(EngineError);
});

const foldersOf = (path: string) =>
  readdirSync(path, { withFileTypes: true }).flatMap((it) => (it.isDirectory() ? [it.name] : []));
const samples = foldersOf('models').flatMap((model) =>
  foldersOf(`models/${model}`).map((version) => [model, version] as const),
);

test.each(samples)('%s %s loads without a child, and answers as with one', async (model, version) => {
  const path = `models/${model}/${version}`;
  const before = childrenOf(process.pid, 'sardonyx');
  const started = () => childrenOf(process.pid, 'sardonyx').filter((it) => !before.includes(it));
  const own = loaderOf({ sandboxes: new OwnSandboxes(16_777_216) });
  const here = await own.load(path, model, version);
  own.close();
  expect(started()).toEqual([]);
  const loader = loaderOf();
  const tried = await loader.load(path, model, version);
  expect(started().length).toBeGreaterThan(0);
  loader.close();
  expect(here.executorKind).toBe('inline');
  // The rows of a run depend on the time that they take.
  expect([here.identity, here.loadStats.batchReason]).toEqual([tried.identity, tried.loadStats.batchReason]);
  const { instances } = JSON.parse(readFileSync(`${path}/golden.json`, 'utf8')) as { instances: unknown[] };
  for (const row of instances)
    expect((await answerBody(here, row)).fieldsJson).toBe((await answerBody(tried, row)).fieldsJson);
  here.retire();
  tried.retire();
});
