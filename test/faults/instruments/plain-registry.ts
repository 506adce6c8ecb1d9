import { afterAll } from 'vitest';
import type { Manifest } from '../../../src/models/manifest/manifest.js';
import { linearRegression, slow } from '../../helpers/onnx-models.js';
import { createRegistryFolder, type RegistryFolder } from '../../helpers/registry-folder.js';

/** The one feature of each of these models. */
export const features = [{ name: 'x', type: 'number' as const, example: 1 }];

/** What `plain` is asked before and after a fault. */
export const plainGolden = { path: '/models/plain/predict', body: { x: 20 } };
export const plainPrediction = 41;

/** As the x of a slow model, more than any time limit allows. */
export const endless = 1e9;

/** How a slow model runs, and how many steps it takes: as many as x says unless `iterations` does. */
export type SlowModel = NonNullable<Manifest['runtime']> & { readonly iterations?: number };

/** A registry with the model `plain`, 2·x + 1, and slow ones by name. It goes after the tests of the file. */
export function createPlainRegistry(slowModels: Readonly<Record<string, SlowModel>> = {}): RegistryFolder {
  const folder = createRegistryFolder();
  afterAll(() => folder[Symbol.dispose]());
  const manifest = { task: 'regression', features } as const;
  folder.addVersion('plain', '1', { manifest, model: linearRegression([2], 1) });
  for (const [name, { iterations, ...runtime }] of Object.entries(slowModels)) {
    folder.addVersion(name, '1', { manifest: { ...manifest, runtime }, model: slow(iterations) });
  }
  return folder;
}
