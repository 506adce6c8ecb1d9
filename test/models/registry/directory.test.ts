import { mkdirSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { listDirectory } from '../../../src/models/registry/directory.js';
import { createRegistryFolder, type RegistryFolder } from '../../helpers/registry-folder.js';

async function list(folder: RegistryFolder) {
  const { models, aliases, skipped } = await listDirectory(folder.path);
  return {
    names: Object.fromEntries(models.map((model) => [model.name, model.versions.map(({ name }) => name)])),
    aliases: Object.fromEntries(aliases.aliases),
    models,
    skipped,
  };
}

test('a folder with a metadata.json is a version, and a folder without it gives one remark', async () => {
  using folder = createRegistryFolder();
  folder.write('a/1/metadata.json', {});
  folder.write('a/2/model.onnx', 'half of it');
  folder.write('b/x/metadata.json', {});
  const { names, skipped } = await list(folder);
  expect(names).toEqual({ a: ['1'], b: ['x'] });
  expect(skipped).toEqual(['a/2: has no metadata.json, so it is not a version yet']);
});

test('a folder that begins with a dot is work in progress, and gives no remark', async () => {
  using folder = createRegistryFolder();
  folder.write('.tmp/1/metadata.json', {});
  folder.write('a/.2.abc/metadata.json', {});
  folder.write('a/..data/metadata.json', {});
  folder.write('a/1/metadata.json', {});
  expect(await list(folder)).toMatchObject({ names: { a: ['1'] }, skipped: [] });
});

test('files beside models and versions are no models and no versions', async () => {
  using folder = createRegistryFolder();
  folder.write('README', 'hello');
  folder.write('a/notes.txt', 'hello');
  folder.write('a/1/metadata.json', {});
  expect(await list(folder)).toMatchObject({ names: { a: ['1'] }, skipped: [] });
});

test.each([
  ['Credit', 'a model'],
  ['-a', 'a model'],
  ['a b', 'a model'],
  ['a%2e', 'a model'],
  ['a'.repeat(65), 'a model'],
  ['a/1 2', 'a version'],
  ['a/_1', 'a version'],
  [`a/${'1'.repeat(65)}`, 'a version'],
])('%s is not a valid name, and gives a remark', async (name, what) => {
  using folder = createRegistryFolder();
  folder.write(`${name}/metadata.json`, {});
  const { names, skipped } = await list(folder);
  expect(Object.values(names).flat()).toEqual([]);
  expect(skipped).toHaveLength(1);
  expect(skipped[0]).toContain(`is not a valid name for ${what}`);
});

test('letters beyond ASCII are escaped', async () => {
  using folder = createRegistryFolder();
  folder.write('а/1/metadata.json', {});
  folder.write('a/2026110１_090000/metadata.json', {});
  const { names, skipped } = await list(folder);
  expect(names).toEqual({ a: [] });
  expect(skipped[0]).toMatch(/^"\\u0430": is not a valid name/);
  expect(skipped[1]).toMatch(/^a\/"2026110\\uff11_090000": is not a valid name/);
});

test('a link to a folder is a model or version; a link without a target is not', async () => {
  using folder = createRegistryFolder();
  folder.write('elsewhere/1/metadata.json', {});
  mkdirSync(join(folder.path, 'a'));
  symlinkSync(join(folder.path, 'elsewhere/1'), join(folder.path, 'a/1'));
  symlinkSync(join(folder.path, 'nowhere'), join(folder.path, 'a/2'));
  symlinkSync(join(folder.path, 'elsewhere'), join(folder.path, 'b'));
  expect((await list(folder)).names).toEqual({ a: ['1'], b: ['1'], elsewhere: ['1'] });
});

test('a folder in place of metadata.json makes a version, which can be refused by name', async () => {
  using folder = createRegistryFolder();
  mkdirSync(join(folder.path, 'a/1/metadata.json'), { recursive: true });
  expect((await list(folder)).names).toEqual({ a: ['1'] });
});

test('aliases are read for the registry and for each model, and a fault gives a remark', async () => {
  using folder = createRegistryFolder();
  folder.write('a/1/metadata.json', {});
  folder.write('aliases.json', { default: 'a' });
  folder.write('a/aliases.json', { '1': '1' });
  folder.write('b/aliases.json', '{');
  const { aliases, models, skipped } = await list(folder);
  expect(aliases).toEqual({ default: 'a' });
  expect(models[0]?.aliases.problem).toContain('"1" is already the name of a model or version');
  expect(skipped).toEqual([
    'a/aliases.json: "1" is already the name of a model or version',
    'b/aliases.json: is not valid JSON in UTF-8',
  ]);
});

test('an alias of the registry may not be the name of a model', async () => {
  using folder = createRegistryFolder();
  folder.write('a/1/metadata.json', {});
  folder.write('b/1/metadata.json', {});
  folder.write('aliases.json', { b: 'a' });
  expect((await list(folder)).skipped).toEqual([
    'aliases.json: "b" is already the name of a model or version',
  ]);
});

test('a version appears when its folder is renamed into place', async () => {
  using folder = createRegistryFolder();
  folder.write('a/.1.tmp/metadata.json', {});
  expect((await list(folder)).names).toEqual({ a: [] });
  renameSync(join(folder.path, 'a/.1.tmp'), join(folder.path, 'a/1'));
  expect((await list(folder)).names).toEqual({ a: ['1'] });
});

test('a registry that cannot be read throws, and does not count as empty', async () => {
  await expect(listDirectory('/nowhere/at/all')).rejects.toMatchObject({ code: 'ENOENT' });
});
