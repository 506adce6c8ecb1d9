import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { linkSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { messageOf } from '../../../src/errors.js';
import { readVersionFiles } from '../../../src/models/loading/version-files.js';
import { listDirectory } from '../../../src/models/registry/directory.js';
import { answerOrReason } from '../../helpers/one-version.js';
import { externalData, linearRegression } from '../../helpers/onnx-models.js';
import { createRegistryFolder, type VersionParts } from '../../helpers/registry-folder.js';

const outside = mkdtempSync(join(tmpdir(), 'sardonyx-links-'));
afterAll(() => rmSync(outside, { recursive: true }));
const secret = 'hunter2-is-a-secret';
const secretPath = join(outside, 'secret');
writeFileSync(secretPath, JSON.stringify({ name: secret, default: secret }));

const parts: VersionParts = {
  manifest: { task: 'regression', features: [{ name: 'a', type: 'number' }] },
  model: externalData('w.bin'),
  files: { 'w.bin': Buffer.from(new Float32Array([40]).buffer) },
  golden: { instances: [{ a: 2 }], expected: [{ prediction: 42 }] },
  reference: {},
};
const names = ['metadata.json', 'model.onnx', 'golden.json', 'reference.json', 'w.bin'];

/** The answer of the version `m/1` for a = 2, or the reason of its refusal. */
const outcomeOf = (folder: string) => answerOrReason(folder, { a: 2 });

describe('a link that leads out of the registry', () => {
  test.each(names)('in place of %s is refused, and the reason shows nothing of its target', async (name) => {
    using registry = createRegistryFolder();
    const folder = registry.addVersion('m', '1', parts);
    rmSync(join(folder, name));
    symlinkSync(secretPath, join(folder, name));
    const outcome = await outcomeOf(folder);
    expect(outcome).toContain(`${name}: the link leads out of the registry`);
    expect(outcome).not.toMatch(/hunter2|SHA-256/);
  });

  test.each(['', 'm/'])('in place of %saliases.json is reported and gives no aliases', async (place) => {
    using registry = createRegistryFolder();
    registry.addVersion('m', '1', parts);
    symlinkSync(secretPath, join(registry.path, place, 'aliases.json'));
    const listing = await listDirectory(registry.path);
    expect(listing.skipped).toEqual([expect.stringContaining('aliases.json: the link leads out')]);
    expect(JSON.stringify([listing.aliases, listing.models])).not.toContain('hunter2');
  });

  test('through a folder or another link is refused', async () => {
    using registry = createRegistryFolder();
    const folder = registry.addVersion('m', '1', parts);
    rmSync(join(folder, 'golden.json'));
    symlinkSync(outside, join(folder, 'there'));
    symlinkSync('there/secret', join(folder, 'second'));
    symlinkSync('second', join(folder, 'golden.json'));
    expect(await outcomeOf(folder)).toContain('golden.json: the link leads out of the registry');
  });

  test('to a folder whose name begins with the name of the registry is refused', async () => {
    using registry = createRegistryFolder();
    const folder = registry.addVersion('m', '1', parts);
    const neighbour = `${registry.path}-secret`;
    mkdirSync(neighbour);
    try {
      renameSync(join(folder, 'golden.json'), join(neighbour, 'golden.json'));
      symlinkSync(join(neighbour, 'golden.json'), join(folder, 'golden.json'));
      expect(await outcomeOf(folder)).toContain('golden.json: the link leads out of the registry');
    } finally {
      rmSync(neighbour, { recursive: true });
    }
  });

  test('that replaces a file during its read is never followed', async () => {
    using registry = createRegistryFolder();
    const folder = registry.addVersion('m', '1', { ...parts, model: linearRegression([2]) });
    const path = join(folder, 'metadata.json');
    linkSync(path, join(folder, 'sound'));
    symlinkSync(secretPath, join(folder, 'link'));
    // Another process swaps file and link as fast as it can.
    const swap = `for(;;) for (const it of ['sound', 'link']) {
      require('fs')[it === 'link' ? 'symlinkSync' : 'linkSync'](it === 'link' ? ${JSON.stringify(secretPath)} : it, 'next');
      require('fs').renameSync('next', 'metadata.json'); if (it === 'sound') require('fs').rmSync('next', { force: true });
    }`;
    const swapper = spawn(process.execPath, ['-e', swap], { cwd: folder, stdio: 'ignore' });
    await once(swapper, 'spawn');
    const seen = new Map<string, number>();
    try {
      const until = performance.now() + 1_500;
      while (performance.now() < until) {
        const outcome = await readVersionFiles(folder, 'm', '1').then(() => 'read', messageOf);
        seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
      }
    } finally {
      swapper.kill('SIGKILL');
      await once(swapper, 'exit');
    }
    expect([...seen.keys()].join()).not.toContain('hunter2');
    // Both outcomes occurred, so the race took place.
    expect([...seen.keys()].sort()).toEqual([
      expect.stringContaining('metadata.json: the link leads'),
      'read',
    ]);
  });
});

describe('a link that a deployment makes on purpose is followed', () => {
  test('files of a Kubernetes volume that is mounted as the folder of a version', async () => {
    using registry = createRegistryFolder();
    const folder = registry.addVersion('m', '1', parts);
    mkdirSync(join(folder, '..2026_11_28'));
    symlinkSync('..2026_11_28', join(folder, '..data'));
    for (const name of names) {
      renameSync(join(folder, name), join(folder, '..2026_11_28', name));
      symlinkSync(`..data/${name}`, join(folder, name));
    }
    expect(await outcomeOf(folder)).toBe('"prediction":42');
  });

  test('folders of a Kubernetes volume that is mounted as the registry', async () => {
    using registry = createRegistryFolder();
    registry.addVersion('m', '1', parts);
    mkdirSync(join(registry.path, '..2026_11_28'));
    symlinkSync('..2026_11_28', join(registry.path, '..data'));
    renameSync(join(registry.path, 'm'), join(registry.path, '..data/m'));
    symlinkSync('..data/m', join(registry.path, 'm'));
    expect(await outcomeOf(join(registry.path, 'm/1'))).toBe('"prediction":42');
  });

  test('a registry that is a link, as git-sync makes it', async () => {
    using registry = createRegistryFolder();
    registry.addVersion('m', '1', parts);
    const current = join(outside, 'current');
    symlinkSync(registry.path, current);
    expect(await outcomeOf(join(current, 'm/1'))).toBe('"prediction":42');
    rmSync(current);
  });

  test('a version that is a link to a folder elsewhere', async () => {
    using registry = createRegistryFolder();
    using elsewhere = createRegistryFolder();
    mkdirSync(join(registry.path, 'm'));
    symlinkSync(elsewhere.addVersion('m', '1', parts), join(registry.path, 'm/1'));
    expect(await outcomeOf(join(registry.path, 'm/1'))).toBe('"prediction":42');
  });

  test('a file of another version of the registry', async () => {
    using registry = createRegistryFolder();
    const first = registry.addVersion('m', '0', parts);
    const folder = registry.addVersion('m', '1', parts);
    rmSync(join(folder, 'model.onnx'));
    symlinkSync(join(first, 'model.onnx'), join(folder, 'model.onnx'));
    expect(await outcomeOf(folder)).toBe('"prediction":42');
  });

  const canUnshare = spawnSync('unshare', ['-rm', 'true']).status === 0;
  test.skipIf(!canUnshare)('the root of another container, as with a modelcar of KServe', async () => {
    using registry = createRegistryFolder();
    registry.addVersion('m', '1', parts);
    const script = 'mount -t tmpfs none /mnt && cp -r "$0" /mnt/models && echo ready && exec sleep 60';
    const car = spawn('unshare', ['-rm', 'sh', '-c', script, registry.path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const link = join(outside, 'models');
    try {
      await once(car.stdout, 'data');
      symlinkSync(`/proc/${car.pid}/root/mnt/models`, link);
      expect(await outcomeOf(join(link, 'm/1'))).toBe('"prediction":42');
    } finally {
      car.kill('SIGKILL');
      rmSync(link, { force: true });
    }
  });
});
