import { writeFileSync } from 'node:fs';
import { afterAll, expect } from 'vitest';
import * as models from '../helpers/onnx-models.js';
import { createRegistryFolder, sha256, type VersionParts } from '../helpers/registry-folder.js';
import { breakManifest, brokenManifests } from './instruments/broken-manifests.js';
import { fault } from './instruments/fault.js';
import { ask, refusalsOf, serving, soundParts, soundPrediction } from './instruments/registry-under-fault.js';

const wrong = createRegistryFolder();
const manifests = createRegistryFolder();
afterAll(() => {
  for (const folder of [wrong, manifests]) folder[Symbol.dispose]();
});

const ab = soundParts.manifest.features as { name: string; type: 'number' }[];
const swappedParts: readonly [string, Partial<VersionParts>][] = [
  ['weights swapped', { model: models.linearRegression([2, 1]) }],
  ['another sign', { model: models.linearRegression([-1, 2]) }],
  ['another bias', { model: models.linearRegression([1, 2], 0.001) }],
  ['weights in other units', { model: models.linearRegression([1_000, 2]) }],
  ['columns in another order', { manifest: { ...soundParts.manifest, features: ab.toReversed() } }],
  ['columns named in another order', { manifest: { ...soundParts.manifest, inputs: { X: ['b', 'a'] } } }],
  [
    'a feature renamed',
    { manifest: { ...soundParts.manifest, features: [ab[0]!, { name: 'c', type: 'number' }] } },
  ],
  [
    'bounds that training rows break',
    { manifest: { ...soundParts.manifest, features: [{ ...ab[0]!, minimum: 0 }, ab[1]!] } },
  ],
  ['a model that gives NaN', { model: models.linearRegression([Number.NaN, 2]) }],
  ['another model', { model: models.linearRegression([5, 5], 5) }],
];
wrong.addVersion('m', '0', soundParts);
for (const [k, [, parts]] of swappedParts.entries())
  wrong.addVersion('m', String(k + 1), { ...soundParts, ...parts });
const classified = (order: string[]): VersionParts => ({
  manifest: { task: 'classification', features: [{ name: 'X', type: 'number' }], output: { classes: order } },
  model: models.probabilitiesOnly([1]),
  golden: { instances: [{ X: 5 }], expected: [{ prediction: 'yes' }] },
});
wrong.addVersion('c', '0', classified(['no', 'yes']));
wrong.addVersion('c', '1', classified(['yes', 'no']));

fault(
  'R07',
  'a valid file with the wrong content fails its golden rows',
  async ({ server }) => {
    const reasons = await refusalsOf(server, 'm');
    for (const [k, [name]] of swappedParts.entries())
      expect
        .soft(reasons.get(String(k + 1)), name)
        .toMatch(
          /^\d of 2 golden rows fail \(row \d: .*\): (the model does not answer as in training|this version does not accept them as requests)$/,
        );
    expect((await refusalsOf(server, 'c')).get('1')).toContain('/prediction is "no", not "yes"');
    const { body } = await ask(server, '/models/m/predict');
    expect(body).toMatchObject({ prediction: soundPrediction, model_version: '0' });
    expect((await ask(server, '/models/c/predict', { X: 5 })).body.model_version).toBe('0');
    return `bad activations 0 of ${swappedParts.length + 1}`;
  },
  serving(wrong),
);

for (const broken of brokenManifests) {
  const version = broken.name;
  const folder = manifests.addVersion('m', version, soundParts);
  const { sha256: _, ...rest } = soundParts.manifest;
  const digests = {
    'model.onnx': sha256(soundParts.model),
    'golden.json': sha256(JSON.stringify(soundParts.golden)),
    'reference.json': sha256(JSON.stringify(soundParts.reference)),
  };
  const manifest = { name: 'm', version, ...rest, sha256: digests };
  writeFileSync(`${folder}/metadata.json`, breakManifest(manifest, broken));
}
manifests.addVersion('m', '1', soundParts);
manifests.addVersion('t', '1', { manifest: { task: 'tensor' }, model: models.linearRegression([1]) });

fault(
  'R08',
  'an invalid manifest is refused with the path of the key, and so are engine options in a request',
  async ({ server }) => {
    const reasons = await refusalsOf(server, 'm');
    for (const { name, reason } of brokenManifests) expect.soft(reasons.get(name), name).toMatch(reason);
    expect((await ask(server, '/models/m/predict')).body.model_version).toBe('1');
    const options = ['extensions', 'optimizedModelFilePath', 'extra', 'executor', 'model', 'path'];
    let accepted = brokenManifests.length - reasons.size;
    for (const key of options) {
      const row = await ask(server, '/models/m/predict', { a: 1, b: 2, [key]: '/etc/passwd' });
      const tensors = await ask(server, '/models/t/predict', { inputs: { X: [[1]] }, [key]: '/etc/passwd' });
      for (const { status, body } of [row, tensors]) {
        if (status === 200) accepted += 1;
        expect(body.errors).toMatchObject([{ pointer: `/${key}` }]);
      }
    }
    expect(accepted).toBe(0);
    return `accepted ${accepted} of ${brokenManifests.length} manifests and ${2 * options.length} requests`;
  },
  serving(manifests),
);
