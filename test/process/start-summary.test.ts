import { expect, test } from 'vitest';
import { readConfig } from '../../src/config/read-config.js';
import { summarizeStart } from '../../src/process/start-summary.js';
import { buildTestApp } from '../helpers/app.js';
import { linearRegression, neverANumber } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';

const manifest = { task: 'regression', features: [{ name: 'a', type: 'number' }] } as const;

const linesOf = async (path: string) => {
  await using server = await buildTestApp({ MODELS_DIR: path });
  return summarizeStart(server.app, readConfig({ MODELS_DIR: path })).lines.join('\n');
};

test('the first request uses a model with an answered example, and is left out without one', async () => {
  using folder = createRegistryFolder();
  folder.addVersion('a-noise', '1', {
    manifest: { ...manifest, features: [...manifest.features] },
    model: neverANumber(),
  });
  expect(await linesOf(folder.path)).not.toContain('Try it');
  folder.addVersion('sum', '1', {
    manifest: { ...manifest, features: [...manifest.features] },
    model: linearRegression([1]),
  });
  expect(await linesOf(folder.path)).toMatch(/Try it +curl \S+\/models\/sum\/predict /);
});

test('the problem of a model is listed once: below the model, or as a reason for "Not ready"', async () => {
  using folder = createRegistryFolder();
  const version = {
    manifest: { ...manifest, features: [...manifest.features] },
    model: linearRegression([1]),
  };
  folder.addVersion('m', 'final', version);
  folder.addVersion('m', 'final2', version);
  const words = /have no order among their names/g;
  const alone = await linesOf(folder.path);
  expect(alone.match(words)).toHaveLength(1);
  expect(alone).toContain('  Not ready: m: The versions final and final2');
  folder.addVersion('other', '1', version);
  const beside = await linesOf(folder.path);
  expect(beside.match(words)).toHaveLength(1);
  expect(beside).not.toContain('Not ready');
});
