import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { answerBody, answerOrReason, loadVersion } from '../../helpers/one-version.js';
import { externalData } from '../../helpers/onnx-models.js';
import { createRegistryFolder, type VersionParts } from '../../helpers/registry-folder.js';
import { putInPlace, unreadableKinds } from '../../helpers/special-files.js';

const weights = Buffer.from(new Float32Array([40]).buffer);
const manifest: VersionParts['manifest'] = {
  task: 'regression',
  features: [{ name: 'a', type: 'number' }],
};

// This file has its own temp folder, so that every file left in it is from these tests.
const temp = mkdtempSync(join(tmpdir(), 'sardonyx-weights-'));
beforeAll(() => vi.stubEnv('TMPDIR', temp));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(temp, { recursive: true });
});

/** The version's answer for a = 2, or the reason of its refusal. */
async function outcomeOf(
  location: string,
  {
    files = { [location]: weights },
    harm = (_folder: string) => {},
    ...rest
  }: Partial<VersionParts> & {
    harm?: (folder: string) => void;
  } = {},
) {
  using registry = createRegistryFolder();
  const folder = registry.addVersion('m', '1', {
    manifest,
    model: externalData(location),
    files,
    ...rest,
  });
  harm(folder);
  try {
    const outcome = await answerOrReason(folder, { a: 2 });
    expect(outcome).not.toContain(registry.path);
    expect(outcome).not.toContain(tmpdir());
    return outcome;
  } finally {
    const left = readdirSync(temp).filter((name) => name.startsWith('sardonyx-'));
    expect(left, 'private copies left behind').toEqual([basename(registry.path)]);
  }
}

test('weights that are links within the registry, as in a mount of Kubernetes, are served', async () => {
  const harm = (folder: string) => {
    mkdirSync(`${folder}/..2026`);
    renameSync(`${folder}/w.bin`, `${folder}/..2026/w.bin`);
    symlinkSync('..2026', `${folder}/..data`);
    symlinkSync('..data/w.bin', `${folder}/w.bin`);
  };
  expect(await outcomeOf('w.bin', { harm })).toBe('"prediction":42');
});

test('weights with a digest are served, also from folders below the version', async () => {
  expect(await outcomeOf('w.bin')).toBe('"prediction":42');
  expect(await outcomeOf('deep/down/w.bin')).toBe('"prediction":42');
});

describe('external weights are refused before the engine opens them', () => {
  const outside = { files: {} };
  test.each([
    ['../w.bin', 'must be a plain path'],
    ['a/../../w.bin', 'must be a plain path'],
    ['/etc/hostname', 'must be a plain path'],
    ['./w.bin', 'must be a plain path'],
    ['a//w.bin', 'must be a plain path'],
    ['..', 'must be a plain path'],
    ['a\0b', 'must be a plain path'],
    ['model.onnx', 'a name of their own, not model.onnx'],
    ['metadata.json', 'a name of their own, not metadata.json'],
    ['golden.json', 'a name of their own, not golden.json'],
    ['reference.json', 'a name of their own, not reference.json'],
    ['model.onnx/w.bin', 'a name of their own, not model.onnx'],
    ['w.bin', 'have no digest in metadata.json'],
    ['constructor', 'have no digest in metadata.json'],
  ])('if their location is %j', async (location, reason) => {
    const refusal = await outcomeOf(location, outside);
    expect(refusal).toContain(`external weights ${JSON.stringify(location)}`);
    expect(refusal).toContain(reason);
  });

  test.each<[string, (folder: string) => void, string]>([
    ['absent', (folder) => rmSync(`${folder}/w.bin`), 'cannot be opened (ENOENT)'],
    ['changed', (folder) => writeFileSync(`${folder}/w.bin`, 'else'), 'metadata.json says'],
    ['short', (folder) => writeFileSync(`${folder}/w.bin`, weights.subarray(0, 2)), 'metadata.json says'],
    [
      'a link that leads out of the registry',
      (folder) => {
        renameSync(`${folder}/w.bin`, `${temp}/there`);
        symlinkSync(`${temp}/there`, `${folder}/w.bin`);
      },
      'leads out of the registry',
    ],
    ['a hard link', (folder) => linkSync(`${folder}/w.bin`, `${folder}/other`), 'are a hard link'],
  ])('if their file is %s', async (_, harm, reason) => {
    expect(await outcomeOf('w.bin', { harm })).toContain(reason);
  });

  test('if their folder is a link out of the registry', async () => {
    const harm = (folder: string) => {
      renameSync(`${folder}/d`, `${temp}/d`);
      symlinkSync(`${temp}/d`, `${folder}/d`);
    };
    expect(await outcomeOf('d/w.bin', { harm })).toContain('leads out of the registry');
  });

  test.each(unreadableKinds)('if %s is in their place', async (kind) => {
    const harm = (folder: string) => putInPlace(kind, join(folder, 'w.bin'));
    expect(await outcomeOf('w.bin', { harm })).toMatch(
      /not a regular file|leads out of the registry|over the limit/,
    );
  });
});

test('weights shorter than the graph says are refused, even with a correct digest', async () => {
  const short = { files: { 'w.bin': weights.subarray(0, 2) } };
  expect(await outcomeOf('w.bin', short)).toMatch(/^the engine refuses model\.onnx: /);
});

test('a version that is itself a link is served', async () => {
  using registry = createRegistryFolder();
  const folder = registry.addVersion('m', '1', {
    manifest,
    model: externalData('w.bin'),
    files: { 'w.bin': weights },
  });
  mkdirSync(join(registry.path, 'linked'));
  symlinkSync(folder, join(registry.path, 'linked/1'));
  const loaded = await loadVersion(join(registry.path, 'linked/1'), 'm', '1');
  expect((await answerBody(loaded, { a: 1 })).fieldsJson).toBe('"prediction":41');
  loaded.retire();
});
