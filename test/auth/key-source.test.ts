import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openKeys } from '../../src/auth/key-source.js';
import { entry, secretOf } from '../helpers/keys.js';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sardonyx-keys-'));
  path = join(folder, 'keys.json');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const toText = (...names: string[]) => JSON.stringify(names.map((name) => entry(name)));

async function open(settings: { API_KEYS_FILE?: string; API_KEYS?: string }) {
  const told: string[] = [];
  const source = await openKeys(settings, {
    onReload: (count) => told.push(`${count} keys`),
    onBroken: (problem) => told.push(problem),
  });
  return { source, told, find: (name: string) => source.ring.verify(secretOf(name))?.id };
}

/** Within some intervals of a second. */
const until = (condition: () => boolean) =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout: 15_000, interval: 20 });

describe('a file of keys', () => {
  test('is read again when it changes, and tells how many keys there are', async () => {
    await writeFile(path, toText('a'));
    const { source, told, find } = await open({ API_KEYS_FILE: path });
    expect(find('a')).toBe('a');
    await writeFile(path, toText('b', 'c'));
    await until(() => told.length > 0);
    expect([find('a'), find('b'), find('c')]).toEqual([undefined, 'b', 'c']);
    expect(told).toEqual(['2 keys']);
    source.close();
  });

  test('keeps its keys while it is broken or gone, and says each once', async () => {
    await writeFile(path, toText('a'));
    const { source, told, find } = await open({ API_KEYS_FILE: path });
    await writeFile(path, toText('b').slice(0, 30));
    await until(() => told.length === 1);
    // Two more looks, at the same bytes.
    await new Promise((resolve) => setTimeout(resolve, 2_200));
    await rm(path);
    await until(() => told.length === 2);
    await mkdir(path);
    await until(() => told.length === 3);
    expect(find('a')).toBe('a');
    await rm(path, { recursive: true });
    await until(() => told.length === 4);
    await writeFile(path, toText('a', 'b'));
    await until(() => told.length === 5);
    expect(find('b')).toBe('b');
    expect(told).toEqual([
      'is not valid JSON, from character 30 on',
      'the file is not there',
      'the file is not a regular file',
      'the file is not there',
      '2 keys',
    ]);
    source.close();
  });

  test('may be swapped by a symbolic link, as Kubernetes swaps a secret', async () => {
    for (const [name, keys] of Object.entries({ one: toText('a'), two: toText('b') })) {
      await mkdir(join(folder, name));
      await writeFile(join(folder, name, 'keys.json'), keys);
    }
    await symlink('one', join(folder, '..data'));
    await symlink('..data/keys.json', path);
    const { source, told, find } = await open({ API_KEYS_FILE: path });
    await symlink('two', join(folder, '..data_tmp'));
    await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    await until(() => told.length > 0);
    expect([find('a'), find('b')]).toEqual([undefined, 'b']);
    source.close();
  });

  test('is looked at no more once it is closed', async () => {
    await writeFile(path, toText('a'));
    const { source, told } = await open({ API_KEYS_FILE: path });
    source.close();
    await writeFile(path, toText('b'));
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    expect(told).toEqual([]);
  });

  test('that is broken or not there stops the start with one line', async () => {
    await expect(open({ API_KEYS_FILE: path })).rejects.toMatchObject({
      lines: [`API_KEYS_FILE: ${path}: the file is not there`],
    });
    await writeFile(path, '[{}]');
    await expect(open({ API_KEYS_FILE: path })).rejects.toMatchObject({
      lines: [expect.stringMatching(/keys\.json: \/0\/id is required; \/0\/sha256 is required/)],
    });
  });
});

test('keys may be given as a text, which is checked as well', async () => {
  const { find } = await open({ API_KEYS: toText('a') });
  expect(find('a')).toBe('a');
  await expect(open({ API_KEYS: '{}' })).rejects.toMatchObject({ lines: ['API_KEYS: / must be an array'] });
});
