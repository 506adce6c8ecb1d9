import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { PrivateCopy } from '../../../src/models/private-copy/private-copy.js';
import { sha256 } from '../../helpers/registry-folder.js';

const { TMPDIR } = process.env;
let temp: string;
let version: string;
beforeEach(() => {
  temp = mkdtempSync(join(tmpdir(), 'sardonyx-copied-'));
  version = mkdtempSync(join(tmpdir(), 'sardonyx-version-'));
  writeFileSync(join(version, 'w.bin'), 'weights');
  process.env['TMPDIR'] = temp;
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(temp, { recursive: true, force: true });
  rmSync(version, { recursive: true, force: true });
  if (TMPDIR === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = TMPDIR;
});

const model = Buffer.from('model');
async function makeCopy() {
  let remade = 0;
  const weights = {
    path: version,
    sha256: { 'model.onnx': sha256(model), 'w.bin': sha256('weights') },
    files: new Map([['w.bin', []]]),
  };
  const copy = await PrivateCopy.make({ weights, reread: async () => model }, model, {
    onRemade: () => {
      remade += 1;
    },
  });
  return { copy, remade: () => remade, [Symbol.asyncDispose]: () => copy.remove() };
}

describe('a private copy', () => {
  test('is provided unchanged while its files are whole, and only its owner can read it', async () => {
    await using it = await makeCopy();
    const first = await it.copy.provide();
    expect(await it.copy.provide()).toEqual(first);
    expect(it.remade()).toBe(0);
    expect(statSync(first.copy).mode & 0o777).toBe(0o700);
    expect(statSync(first.path).mode & 0o777).toBe(0o600);
  });

  test.each([
    ['the folder', ''],
    ['the model', 'model.onnx'],
    ['the weights', 'w.bin'],
  ])('is made again once for several concurrent callers if %s is missing', async (_, name) => {
    await using it = await makeCopy();
    const { copy: before } = await it.copy.provide();
    rmSync(join(before, name), { recursive: true });
    const given = await Promise.all([it.copy.provide(), it.copy.provide(), it.copy.provide()]);
    expect(new Set(given.map(({ path }) => path)).size).toBe(1);
    expect(readFileSync(given[0]?.path as string, 'utf8')).toBe('model');
    expect(readFileSync(join(dirname(given[0]?.path as string), 'w.bin'), 'utf8')).toBe('weights');
    expect(it.remade()).toBe(1);
    expect(readdirSync(temp), 'folders of copies').toHaveLength(1);
  });

  test('is made again if a file was replaced', async () => {
    await using it = await makeCopy();
    const { copy: folder } = await it.copy.provide();
    rmSync(join(folder, 'w.bin'));
    writeFileSync(join(folder, 'w.bin'), 'forgery');
    const { path } = await it.copy.provide();
    expect(readFileSync(join(dirname(path), 'w.bin'), 'utf8')).toBe('weights');
  });

  test('is made again if a file was overwritten in place, but not after its own touch', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    await using it = await makeCopy();
    const { copy: folder } = await it.copy.provide();
    const before = statSync(join(folder, 'w.bin'), { bigint: true }).ctimeNs;
    vi.advanceTimersByTime(3_600_000);
    await vi.waitUntil(() => statSync(join(folder, 'w.bin'), { bigint: true }).ctimeNs !== before, {
      timeout: 5_000,
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await it.copy.provide()).copy).toBe(folder);
    writeFileSync(join(folder, 'w.bin'), 'forgery');
    const { path } = await it.copy.provide();
    expect(readFileSync(join(dirname(path), 'w.bin'), 'utf8')).toBe('weights');
  });

  test('is not made from changed weights, and is made once the loaded weights are back', async () => {
    await using it = await makeCopy();
    rmSync((await it.copy.provide()).copy, { recursive: true });
    writeFileSync(join(version, 'w.bin'), 'changed');
    for (let k = 0; k < 2; k += 1) await expect(it.copy.provide()).rejects.toThrow('metadata.json says');
    expect(readdirSync(temp)).toEqual([]);
    writeFileSync(join(version, 'w.bin'), 'weights');
    await it.copy.provide();
    expect(it.remade()).toBe(1);
  });

  test('is touched each hour, so that a cleaner of temporary files keeps it', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    await using it = await makeCopy();
    const { path, copy: folder } = await it.copy.provide();
    const old = new Date(0);
    const paths = [folder, path, join(folder, 'w.bin')];
    for (const each of paths) utimesSync(each, old, old);
    vi.advanceTimersByTime(3_600_000);
    const ages = () => paths.map((each) => Math.min(statSync(each).mtimeMs, statSync(each).atimeMs));
    await vi.waitUntil(() => Math.min(...ages()) > 0, { timeout: 5_000 });
  });

  test('leaves no files after its removal, and is not made again', async () => {
    const it = await makeCopy();
    await it.copy.remove();
    expect(readdirSync(temp)).toEqual([]);
    await expect(it.copy.provide()).rejects.toThrow('retired');
    expect(readdirSync(temp)).toEqual([]);
  });
});
