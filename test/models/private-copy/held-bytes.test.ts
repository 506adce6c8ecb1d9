import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { holdBytes } from '../../../src/models/private-copy/held-bytes.js';
import { loadVersion } from '../../helpers/one-version.js';
import { network } from '../../helpers/onnx/company-models.js';
import { createRegistryFolder } from '../../helpers/registry-folder.js';

const { TMPDIR } = process.env;
let temp: string;
beforeEach(() => {
  temp = mkdtempSync(join(tmpdir(), 'sardonyx-held-'));
  process.env['TMPDIR'] = temp;
});
afterEach(() => {
  rmSync(temp, { recursive: true, force: true });
  if (TMPDIR === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = TMPDIR;
});

const mebibyte = 1_048_576;
const bytesOf = (size: number) => Buffer.alloc(size, 'sardonyx');
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

test('a small model is held in memory and needs no folder', async () => {
  rmSync(temp, { recursive: true });
  const held = await holdBytes(bytesOf(8 * mebibyte));
  expect(held.fault).toBeUndefined();
  expect(bytesOf(8 * mebibyte).equals((await held.provide()).bytes)).toBe(true);
});

test('a large model is held in a file without a name', async () => {
  const held = await holdBytes(bytesOf(9 * mebibyte));
  expect(held.fault).toBeUndefined();
  expect(readdirSync(temp)).toEqual([]);
  // A cleaner may remove the whole folder.
  rmSync(temp, { recursive: true });
  for (let k = 0; k < 2; k += 1) {
    expect(bytesOf(9 * mebibyte).equals((await held.provide()).bytes)).toBe(true);
  }
  await held.release();
  await expect(held.provide()).rejects.toThrow();
});

test('a large model is held in memory, with the reason, if no file can be made', async () => {
  rmSync(temp, { recursive: true });
  const held = await holdBytes(bytesOf(9 * mebibyte));
  expect(held.fault).toMatchObject({ code: 'ENOENT' });
  expect(bytesOf(9 * mebibyte).equals((await held.provide()).bytes)).toBe(true);
});

test('the bytes of a large isolated model are not in this process after the load', async () => {
  using registry = createRegistryFolder();
  const model = network(2, 2_500, 1);
  const folder = registry.addVersion('m', '1', {
    manifest: {
      task: 'regression',
      features: [{ name: 'x', type: 'number' }],
      runtime: { executor: 'isolated' },
    },
    model,
  });
  expect(model.length).toBeGreaterThan(20 * mebibyte);
  const measure = () => {
    for (let k = 0; k < 3; k += 1) collect();
    return process.memoryUsage().arrayBuffers;
  };
  const before = measure();
  const loaded = await loadVersion(folder, 'm', '1');
  await expect.poll(() => measure() - before, { timeout: 10_000 }).toBeLessThan(model.length / 4);
  loaded.retire();
});
