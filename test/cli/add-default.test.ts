import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { setDefault } from '../../src/cli/add-default.js';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sardonyx-default-'));
  mkdirSync(join(root, 'm', '2'), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));
const file = () => join(root, 'm', 'aliases.json');
/** The aliases that `add` has read before the load. */
const addition = () => ({ root, name: 'm', version: '2', existing: ['1'], aliases: new Map() });

test('the new default keeps an alias that was written during the load', async () => {
  writeFileSync(file(), '{"champion": "1"}');
  expect(await setDefault(addition())).toContain('The alias default now names 2.');
  expect(JSON.parse(readFileSync(file(), 'utf8'))).toEqual({ champion: '1', default: '2' });
  expect(readdirSync(join(root, 'm')).sort()).toEqual(['2', 'aliases.json']);
});

test('aliases that became invalid during the load are not overwritten', async () => {
  writeFileSync(file(), '{"champion": ');
  await expect(setDefault(addition())).rejects.toThrow(
    'the version is written, but it is not the default: correct m/aliases.json: is not valid JSON in UTF-8',
  );
  expect(readFileSync(file(), 'utf8')).toBe('{"champion": ');
});

test('several commands that set the default in parallel leave one valid file', async () => {
  writeFileSync(file(), '{}');
  await Promise.all(['2', '3', '4'].map((version) => setDefault({ ...addition(), version })));
  expect(['2', '3', '4']).toContain(JSON.parse(readFileSync(file(), 'utf8')).default);
  expect(readdirSync(join(root, 'm')).sort()).toEqual(['2', 'aliases.json']);
});
