import { rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { RefusedError } from '../../../src/errors.js';
import { readVersionFiles } from '../../../src/models/loading/version-files.js';
import { linearRegression } from '../../helpers/onnx-models.js';
import { createRegistryFolder, sha256, type VersionParts } from '../../helpers/registry-folder.js';
import { putInPlace, unreadableKinds } from '../../helpers/special-files.js';

const model = linearRegression([1, 2]);
const parts: VersionParts = {
  manifest: { task: 'regression', features: [{ name: 'a', type: 'number' }] },
  model,
  golden: { instances: [{}], expected: [{}] },
  reference: { rows: 1 },
};

/** The reason of the refusal after `harm`; undefined if the version is not refused. */
async function refusalAfter(harm: (folder: string) => void, changes: Partial<VersionParts> = {}) {
  using registry = createRegistryFolder();
  const folder = registry.addVersion('m', '1', { ...parts, ...changes });
  harm(folder);
  try {
    await readVersionFiles(folder, 'm', '1');
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(RefusedError);
    const { message } = error as Error;
    expect(message, 'no path of this machine').not.toContain(registry.path);
    return message;
  }
}

test('a sound version is read, and the digest of its manifest is its identity', async () => {
  using registry = createRegistryFolder();
  const folder = registry.addVersion('m', '1', parts);
  const files = await readVersionFiles(folder, 'm', '1');
  expect(Buffer.compare(files.model, model)).toBe(0);
  expect(files.golden?.toString()).toBe(JSON.stringify(parts.golden));
  expect(files.identity).toMatch(/^[0-9a-f]{64}$/);
  expect(files.manifest.sha256['model.onnx']).toBe(sha256(model));
});

describe.each(['model.onnx', 'golden.json', 'reference.json'])('%s', (name) => {
  test('is refused with both digests if its digest differs from the manifest', async () => {
    const refusal = await refusalAfter((folder) => writeFileSync(`${folder}/${name}`, 'another'));
    expect(refusal).toContain(`${name} has SHA-256 ${sha256('another')}, metadata.json says `);
  });

  test('is refused if it is missing and the manifest has its digest', async () => {
    expect(await refusalAfter((folder) => rmSync(`${folder}/${name}`))).toMatch(`${name} is not there`);
  });

  test('may be a link to a file, as in mounted volumes', async () => {
    const relink = (folder: string) => {
      const bytes = { 'model.onnx': model, 'golden.json': JSON.stringify(parts.golden) }[name];
      writeFileSync(`${folder}/.there`, bytes ?? JSON.stringify(parts.reference));
      rmSync(`${folder}/${name}`);
      symlinkSync('.there', `${folder}/${name}`);
    };
    expect(await refusalAfter(relink)).toBeUndefined();
  });
});

test.each(['golden.json', 'reference.json'])('%s without a digest is refused', async (name) => {
  expect(await refusalAfter(() => {}, { undigested: [name] })).toBe(
    `${name} has no digest in metadata.json: add it under /sha256`,
  );
});

test('golden rows and reference may be left out', async () => {
  using registry = createRegistryFolder();
  const folder = registry.addVersion('m', '1', { manifest: parts.manifest, model });
  expect((await readVersionFiles(folder, 'm', '1')).golden).toBeUndefined();
});

test('a manifest of another model or version is refused, and the reason names both', async () => {
  using registry = createRegistryFolder();
  const folder = registry.addVersion('m', '1', parts);
  await expect(readVersionFiles(folder, 'm', '2')).rejects.toThrow('/version is 1, the folder says 2');
  await expect(readVersionFiles(folder, 'n', '1')).rejects.toThrow('/name is m, the folder says n');
});

describe.each(['metadata.json', 'model.onnx', 'golden.json', 'reference.json'])('in place of %s', (name) => {
  test.each(unreadableKinds)('%s is refused at once', async (kind) => {
    const started = performance.now();
    const refusal = await refusalAfter((folder) => putInPlace(kind, `${folder}/${name}`));
    expect(refusal).toMatch(
      kind === 'a sparse file of 1 TB'
        ? new RegExp(`^${name} has 1099511627776 bytes, over the limit of \\d+$`)
        : new RegExp(`^${name} is not a regular file$`),
    );
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

test('a file that is truncated during its read is refused', async () => {
  using registry = createRegistryFolder();
  const weights = new Array<number>(4_000_000).fill(1);
  const folder = registry.addVersion('m', '1', { ...parts, model: linearRegression(weights) });
  const reading = readVersionFiles(folder, 'm', '1');
  truncateSync(`${folder}/model.onnx`, 100);
  await expect(reading).rejects.toThrow(/model\.onnx (became shorter|has SHA-256)/);
});

test('the event loop is not blocked while a large file is read and hashed', async () => {
  using registry = createRegistryFolder();
  const folder = registry.addVersion('m', '1', { ...parts, model: new Uint8Array(200_000_000) });
  let turns = 0;
  const timer = setInterval(() => {
    turns += 1;
  }, 1);
  await readVersionFiles(folder, 'm', '1').finally(() => clearInterval(timer));
  expect(turns).toBeGreaterThan(20);
});
