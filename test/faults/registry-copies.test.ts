import { writeFileSync } from 'node:fs';
import { afterAll, expect } from 'vitest';
import { createRandom } from '../helpers/onnx/random.js';
import { createRegistryFolder, sha256 } from '../helpers/registry-folder.js';
import { fault } from './instruments/fault.js';
import {
  ask,
  refusalsOf,
  serving,
  soundParts,
  soundPrediction,
  versionsOf,
} from './instruments/registry-under-fault.js';

const files = {
  'model.onnx': Buffer.from(soundParts.model),
  'golden.json': Buffer.from(JSON.stringify(soundParts.golden)),
  'reference.json': Buffer.from(JSON.stringify(soundParts.reference)),
};
const manifestOf = (name: string, version: string) => {
  const digests = Object.fromEntries(Object.entries(files).map(([file, bytes]) => [file, sha256(bytes)]));
  return Buffer.from(JSON.stringify({ name, version, ...soundParts.manifest, sha256: digests }, null, 1));
};

const cut = createRegistryFolder();
const changed = createRegistryFolder();
afterAll(() => {
  cut[Symbol.dispose]();
  changed[Symbol.dispose]();
});

// Writers put metadata.json last. cp goes by name, so the manifest is complete while the model is still cut.
const copies = [
  ['cut-manifest-last', ['golden.json', 'model.onnx', 'reference.json', 'metadata.json']],
  ['cut-by-name', ['golden.json', 'metadata.json', 'model.onnx', 'reference.json']],
] as const;
const cuts = 50;
for (const [model, names] of copies) {
  cut.addVersion(model, '0', soundParts);
  for (let k = 1; k <= cuts; k += 1) {
    const all = { ...files, 'metadata.json': manifestOf(model, String(k)) };
    const total = names.reduce((sum, name) => sum + all[name].length, 0);
    let left = Math.floor((total * k) / (cuts + 1));
    for (const name of names) {
      const bytes = all[name];
      if (left > 0) cut.write(`${model}/${k}/${name}`, bytes.subarray(0, left));
      left -= bytes.length;
    }
  }
}
cut.addVersion('sound', '.2.tmp', soundParts);
cut.write('sound/3/model.onnx', files['model.onnx']);

fault(
  'R01',
  'a version that is still being copied is not served, and the older version answers',
  async ({ server }) => {
    const passedOver = server.stdout.map((line) => JSON.parse(line).remark).filter(Boolean);
    let wrong = 0;
    let failed = 0;
    let refused = 0;
    for (const [model] of copies) {
      const listed = (await versionsOf(server, model)).map(({ version }) => version);
      refused += (await refusalsOf(server, model)).size;
      for (let k = 1; k <= cuts; k += 1) {
        const isListed = listed.includes(String(k));
        const remark = `${model}/${k}: has no metadata.json, so it is not a version yet`;
        expect(passedOver.filter((it) => it === remark)).toHaveLength(isListed ? 0 : 1);
        const asked = await ask(server, `/models/${model}/versions/${k}/predict`);
        expect(asked.status).toBe(isListed ? 503 : 404);
        const { status, body } = await ask(server, `/models/${model}/predict`);
        if (status >= 500) failed += 1;
        if (body.model_version !== '0' || body.prediction !== soundPrediction) wrong += 1;
      }
    }
    expect(await versionsOf(server, 'sound')).toHaveLength(1);
    expect(passedOver.filter((remark) => remark.startsWith('sound/'))).toEqual([
      'sound/3: has no metadata.json, so it is not a version yet',
    ]);
    expect([wrong, failed]).toEqual([0, 0]);
    return `wrong loads ${wrong}, 5xx ${failed} of ${2 * cuts} cut copies (${refused} refused, ${2 * cuts - refused} not versions yet)`;
  },
  serving(cut),
);

const copiesOfEach = 400;
const random = createRandom(2);
const kinds = ['model.onnx', 'golden.json', 'reference.json', 'metadata.json'] as const;
const toModel = (file: string) => file.replace('.', '-');
for (const file of kinds) {
  const model = toModel(file);
  changed.addVersion(model, '0', soundParts);
  for (let k = 1; k <= copiesOfEach; k += 1) {
    const folder = changed.addVersion(model, String(k), soundParts);
    const manifest = manifestOf(model, String(k));
    const bytes = Buffer.from(file === 'metadata.json' ? manifest : files[file]);
    const count = 1 + Math.floor(random() * 4);
    for (let n = 0; n < count; n += 1) {
      const at = Math.floor(random() * bytes.length);
      // Every second copy stays text: in a manifest, most other bytes only make the JSON invalid.
      const isText = k % 2 === 0 && file !== 'model.onnx';
      const old = bytes[at] as number;
      bytes[at] = isText
        ? 32 + ((old - 31 + Math.floor(random() * 94)) % 95)
        : old ^ (1 + Math.floor(random() * 255));
    }
    writeFileSync(`${folder}/metadata.json`, manifest);
    writeFileSync(`${folder}/${file}`, bytes);
  }
}

fault(
  'R02',
  'a version with changed bytes is not served, and the older version answers',
  async ({ server }) => {
    const served: string[] = [];
    let sound = '';
    for (const file of kinds) {
      const model = toModel(file);
      const versions = await versionsOf(server, model);
      expect(versions).toHaveLength(copiesOfEach + 1);
      const refusals = await refusalsOf(server, model);
      const ready = versions.filter(({ state, version }) => state === 'ready' && version !== '0');
      if (file !== 'metadata.json') {
        expect(ready).toEqual([]);
        for (const reason of refusals.values()) expect(reason).toContain(`${file} has SHA-256 `);
        served.push(`${file} ${ready.length}`);
        expect((await ask(server, `/models/${model}/predict`)).body.model_version).toBe('0');
        expect((await ask(server, `/models/${model}/versions/7/predict`)).status).toBe(503);
        continue;
      }
      for (const reason of refusals.values())
        expect(reason).toMatch(/metadata\.json|golden rows fail|\.(onnx|json) /);
      // A changed manifest that is valid and passes its golden rows is another version, with its own identity.
      expect(new Set(versions.map(({ identity }) => identity).filter(Boolean)).size).toBe(ready.length + 1);
      for (const { version } of ready) {
        const { status, body } = await ask(server, `/models/${model}/versions/${version}/predict`);
        if (status === 200) expect(body.prediction).toBe(soundPrediction);
        else expect(body.code).toBe('invalid_input');
      }
      sound = `of ${copiesOfEach} manifests ${refusals.size} refused, ${ready.length} still sound, each listed with its own identity`;
    }
    return `served of ${copiesOfEach} a file: ${served.join(', ')}; ${sound}`;
  },
  serving(changed),
);
