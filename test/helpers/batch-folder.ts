import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { linearRegression } from './onnx-models.js';
import { createRegistryFolder } from './registry-folder.js';

/**
 * The files of the tests of `sardonyx batch`: a folder of models, with the model `line` in one version for each factor
 * (`line@1` doubles the feature x by default), and an empty folder for each test.
 */
export function useBatchFolder(factors: readonly number[] = [2]) {
  const registry = createRegistryFolder();
  let folder: string;
  beforeAll(() => {
    const features = [{ name: 'x', type: 'number' as const, example: 1 }];
    for (const [k, factor] of factors.entries()) {
      const parts = {
        manifest: { task: 'regression' as const, features },
        model: linearRegression([factor]),
      };
      registry.addVersion('line', String(k + 1), parts);
    }
  });
  afterAll(() => registry[Symbol.dispose]());
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sardonyx-batch-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  return {
    models: registry.path,
    /** The path of a file in the folder of the test. */
    at: (...names: string[]) => join(folder, ...names),
  };
}
