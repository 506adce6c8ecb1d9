import { expect, test } from 'vitest';
import { versionNamePattern } from '../../../src/models/manifest/names.js';
import { keepLastGood, readAliases } from '../../../src/models/registry/aliases.js';
import { createRegistryFolder } from '../../helpers/registry-folder.js';
import { putInPlace, unreadableKinds } from '../../helpers/special-files.js';

async function read(content: unknown, existing: readonly string[] = ['1', '2']) {
  using folder = createRegistryFolder();
  const path = folder.write('aliases.json', content);
  const { aliases, problem } = await readAliases(path, versionNamePattern, existing);
  return { aliases: Object.fromEntries(aliases), problem };
}

test('all aliases are read, including those of absent versions', async () => {
  const file = { default: '1', challenger: '2', old: '0' };
  expect(await read(file)).toEqual({ aliases: file, problem: undefined });
});

test('a missing file gives no aliases and no problem', async () => {
  using folder = createRegistryFolder();
  expect(await readAliases(`${folder.path}/aliases.json`, versionNamePattern, [])).toEqual({
    aliases: new Map(),
  });
});

test.each<[string, unknown, RegExp]>([
  ['no content', '', /not valid JSON/],
  ['half a file', '{"default": "1"', /not valid JSON/],
  [
    'bytes that are not UTF-8',
    Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
    /not valid JSON in UTF-8/,
  ],
  ['a list', ['1'], /must be an object of names/],
  ['null', 'null', /must be an object of names/],
  ['a number for a name', { default: 1 }, /must be an object of names/],
  ['an alias named latest', { latest: '1' }, /"latest" is reserved/],
  ['an alias that is a version', { default: '1', '2': '1' }, /"2" is already the name of a model or version/],
  ['an alias with a slash', { 'a/b': '1' }, /"a\/b" is not a valid name/],
  ['an empty alias', { '': '1' }, /"" is not a valid name/],
  ['an alias with a dot in front', { '.a': '1' }, /"\.a" is not a valid name/],
  ['an inherited name', '{"__proto__": "1"}', /"__proto__" is not a valid name/],
])('a file with %s gives no aliases, and a problem', async (_, content, problem) => {
  const result = await read(content);
  expect(result.aliases).toEqual({});
  expect(result.problem).toMatch(/^aliases\.json: /);
  expect(result.problem).toMatch(problem);
});

test.each(unreadableKinds)('%s in its place is a problem, and reading does not block', async (kind) => {
  using folder = createRegistryFolder();
  const path = `${folder.path}/aliases.json`;
  putInPlace(kind, path);
  const { aliases, problem } = await readAliases(path, versionNamePattern, []);
  expect(aliases.size).toBe(0);
  expect(problem).toMatch(/^aliases\.json (is not a regular file|cannot be opened|has \d+ bytes, over)/);
  expect(problem).not.toContain(folder.path);
});

test('a broken file leaves the previous aliases in force', () => {
  const before = { aliases: new Map([['default', '1']]) };
  const broken = { aliases: new Map(), problem: 'aliases.json: is not valid JSON in UTF-8' };
  expect(keepLastGood(before, broken)).toEqual({ ...before, problem: broken.problem });
  expect(keepLastGood(undefined, broken)).toEqual(broken);
  expect(keepLastGood(before, { aliases: new Map() })).toEqual({ aliases: new Map() });
});
