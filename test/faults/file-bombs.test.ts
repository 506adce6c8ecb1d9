import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { afterAll, expect } from 'vitest';
import { bombs } from '../helpers/onnx/bombs.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { memoryMb } from '../helpers/processes.js';
import { createRegistryFolder, sha256 } from '../helpers/registry-folder.js';
import { fault, faultWithoutServer } from './instruments/fault.js';
import { ask, refusalsOf, serving, soundPrediction, versionsOf } from './instruments/registry-under-fault.js';

const folder = createRegistryFolder();
const target = createRegistryFolder();
afterAll(() => {
  for (const it of [folder, target]) it[Symbol.dispose]();
});

const reasons = new Map<string, RegExp>();
for (const [k, { make, reason }] of bombs.entries()) {
  const version = String(k + 1);
  folder.addVersion('m', version, { manifest: { task: 'tensor' }, model: make() });
  reasons.set(version, reason);
}
/** Companions that are bombs, next to a sound model. */
const companions: readonly (readonly [string, string, RegExp])[] = [
  ['golden.json', '['.repeat(60_000_000), /over 64 levels of arrays and objects/],
  ['golden.json', `{"instances":[${'1,'.repeat(10_000_000)}1],"expected":[]}`, /over 8,000,000 values/],
];
for (const [name, content, reason] of companions) {
  const version = String(reasons.size + 1);
  const manifest = {
    task: 'regression',
    features: [{ name: 'a', type: 'number' }],
    sha256: { [name]: sha256(content) },
  } as const;
  folder.addVersion('m', version, { manifest, model: linearRegression([1]), files: { [name]: content } });
  reasons.set(version, reason);
}

fault(
  'E09',
  'model files that are bombs are refused, each with its reason, and another model is served',
  async ({ server }) => {
    const found = await refusalsOf(server, 'm');
    for (const [version, reason] of reasons) expect.soft(found.get(version), version).toMatch(reason);
    expect(found.size).toBe(reasons.size);
    expect((await versionsOf(server, 'sound')).map(({ state }) => state)).toEqual(['ready']);
    expect((await ask(server, '/models/sound/predict')).body.prediction).toBe(soundPrediction);
    expect(server.child.signalCode).toBeNull();
    return `server deaths 0, refused ${found.size} of ${reasons.size}, peak RSS ${memoryMb(server.child.pid, 'VmHWM').toFixed(0)} MB with files of up to 150 MB`;
  },
  serving(folder),
);

faultWithoutServer(
  'E09',
  'no command of the CLI is ended by a model file that is a bomb',
  async () => {
    let commands = 0;
    const run = (...argv: string[]) => {
      commands += 1;
      return spawnSync(process.execPath, ['dist/cli.js', ...argv], { encoding: 'utf8', maxBuffer: 2 ** 28 });
    };
    for (const [k, { reason }] of bombs.entries()) {
      const file = `${folder.path}/m/${k + 1}/model.onnx`;
      for (const argv of [
        ['add', file, '--name', 'm', '--models', target.path],
        // `inspect` does not read lists of operators, so it may accept a bomb in them.
        ['inspect', file],
      ]) {
        const { signal, status, stderr } = run(...argv);
        expect(signal, argv.join(' ')).toBeNull();
        if (status !== 0) expect(stderr).toMatch(reason);
        if (argv[0] === 'add') expect(status, argv.join(' ')).toBe(1);
      }
    }
    expect(readdirSync(target.path), 'folders left by add').toEqual([]);
    const check = run('check', folder.path);
    expect([check.status, check.signal]).toEqual([1, null]);
    const predict = run('predict', 'm@1', '{}', '--models', folder.path);
    expect([predict.status, predict.signal]).toEqual([1, null]);
    expect(predict.stderr).toMatch(reasons.get('1') as RegExp);
    return `commands ended by a signal 0 of ${commands}, folders left behind 0`;
  },
  300_000,
);
