import { afterAll } from 'vitest';
import type { Manifest } from '../../../src/models/manifest/manifest.js';
import { linearRegression, slow } from '../../helpers/onnx-models.js';
import { createRegistryFolder, type RegistryFolder } from '../../helpers/registry-folder.js';

/** The features of each of these models. */
export const features = [{ name: 'x', type: 'number' as const, example: 1 }];

/** The golden request of `plain`, and its prediction. */
export const plainGolden = { path: '/models/plain/predict', body: { x: 20 } };
export const plainPrediction = 41;

/** An x with which a slow model runs longer than any time limit. */
export const endless = 1e9;

/** The `runtime` of a slow model, and its number of steps; without `iterations` it takes x steps. */
export type SlowModel = NonNullable<Manifest['runtime']> & { readonly iterations?: number };

/**
 * A registry with the model `plain` (2·x + 1) and slow models by name. Their answers are not cached: the rows of these
 * tests are equal, and each must have a run. The registry is removed after the tests of the file.
 */
export function createPlainRegistry(slowModels: Readonly<Record<string, SlowModel>> = {}): RegistryFolder {
  const folder = createRegistryFolder();
  afterAll(() => folder[Symbol.dispose]());
  const manifest = { task: 'regression', features } as const;
  folder.addVersion('plain', '1', { manifest, model: linearRegression([2], 1) });
  for (const [name, { iterations, ...runtime }] of Object.entries(slowModels)) {
    folder.addVersion(name, '1', {
      manifest: { ...manifest, runtime: { cache: false, ...runtime } },
      model: slow(iterations),
    });
  }
  return folder;
}
