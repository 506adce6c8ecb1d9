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
  const reports: string[] = [];
  const source = await openKeys(settings, {
    onReload: (count) => reports.push(`${count} keys`),
    onBroken: (problem) => reports.push(problem),
  });
  return { source, reports, find: (name: string) => source.ring.verify(secretOf(name))?.id };
}

/** The file is read each second. */
const until = (condition: () => boolean) =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout: 15_000, interval: 20 });

describe('a key file', () => {
  test('is read again after a change, and reports the number of keys', async () => {
    await writeFile(path, toText('a'));
    const { source, reports, find } = await open({ API_KEYS_FILE: path });
    expect(find('a')).toBe('a');
    await writeFile(path, toText('b', 'c'));
    await until(() => reports.length > 0);
    expect([find('a'), find('b'), find('c')]).toEqual([undefined, 'b', 'c']);
    expect(reports).toEqual(['2 keys']);
    source.close();
  });

  test('that is broken or removed leaves its keys valid, and reports each problem once', async () => {
    await writeFile(path, toText('a'));
    const { source, reports, find } = await open({ API_KEYS_FILE: path });
    await writeFile(path, toText('b').slice(0, 30));
    await until(() => reports.length === 1);
    // Two more reads of the same bytes.
    await new Promise((resolve) => setTimeout(resolve, 2_200));
    await rm(path);
    await until(() => reports.length === 2);
    await mkdir(path);
    await until(() => reports.length === 3);
    expect(find('a')).toBe('a');
    await rm(path, { recursive: true });
    await until(() => reports.length === 4);
    await writeFile(path, toText('a', 'b'));
    await until(() => reports.length === 5);
    expect(find('b')).toBe('b');
    expect(reports).toEqual([
      'is not valid JSON, from character 30 on',
      'the file is not there',
      'the file is not a regular file',
      'the file is not there',
      '2 keys',
    ]);
    source.close();
  });

  test('may be replaced through a symbolic link, like a Kubernetes secret', async () => {
    for (const [name, keys] of Object.entries({ one: toText('a'), two: toText('b') })) {
      await mkdir(join(folder, name));
      await writeFile(join(folder, name, 'keys.json'), keys);
    }
    await symlink('one', join(folder, '..data'));
    await symlink('..data/keys.json', path);
    const { source, reports, find } = await open({ API_KEYS_FILE: path });
    await symlink('two', join(folder, '..data_tmp'));
    await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    await until(() => reports.length > 0);
    expect([find('a'), find('b')]).toEqual([undefined, 'b']);
    source.close();
  });

  test('is not read any more after `close`', async () => {
    await writeFile(path, toText('a'));
    const { source, reports } = await open({ API_KEYS_FILE: path });
    source.close();
    await writeFile(path, toText('b'));
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    expect(reports).toEqual([]);
  });

  test('that is broken or missing fails the start with one line', async () => {
    await expect(open({ API_KEYS_FILE: path })).rejects.toMatchObject({
      lines: [`API_KEYS_FILE: ${path}: the file is not there`],
    });
    await writeFile(path, '[{}]');
    await expect(open({ API_KEYS_FILE: path })).rejects.toMatchObject({
      lines: [expect.stringMatching(/keys\.json: \/0\/id is required; \/0\/sha256 is required/)],
    });
  });
});

test('API_KEYS takes the keys as a text, which is checked like a file', async () => {
  const { find } = await open({ API_KEYS: toText('a') });
  expect(find('a')).toBe('a');
  await expect(open({ API_KEYS: '{}' })).rejects.toMatchObject({ lines: ['API_KEYS: / must be an array'] });
});
