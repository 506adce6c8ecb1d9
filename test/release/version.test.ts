import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readSection } from '../../scripts/release/changelog.js';
import { findVersions, listPlaces } from '../../scripts/release/version-places.js';
import { buildTestApp } from '../helpers/app.js';

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));

describe('the version of package.json', () => {
  test('is also in the lock file, the command line, the server and the OpenAPI document', async () => {
    await using server = await buildTestApp();
    const get = async (url: string) => (await server.app.inject(url)).json();
    expect([lock.version, lock.packages[''].version]).toEqual([version, version]);
    const printed = execFileSync(process.execPath, ['dist/cli.js', '--version'], { encoding: 'utf8' });
    expect(printed).toContain(version);
    expect((await get('/health')).version).toBe(version);
    expect((await get('/openapi.json')).info.version).toBe(version);
  });

  test('is the only Sardonyx version in the docs and the deployment files', () => {
    const named = listPlaces().map((file) => ({ file, versions: findVersions(readFileSync(file, 'utf8')) }));
    expect(named.filter(({ versions }) => versions.some((each) => each !== version))).toEqual([]);
    const withOne = named.filter(({ versions }) => versions.length > 0).map(({ file }) => file);
    expect(withOne).toEqual(expect.arrayContaining(['README.md', 'docs/systemd.md']));
  });

  test.runIf(existsSync('Dockerfile'))('reaches the labels of the image as an argument', () => {
    const dockerfile = readFileSync('Dockerfile', 'utf8');
    expect(dockerfile).toMatch(/org\.opencontainers\.image\.version="?\$\{?VERSION\b/);
    expect(dockerfile).toMatch(/^ARG VERSION$/m);
    for (const name of ['ci.yml', 'release.yml'])
      expect(readFileSync(`.github/workflows/${name}`, 'utf8')).toMatch(/\bVERSION="?\$/);
  });

  test.each([
    ['npm install ./sardonyx-1.2.3.tgz', ['1.2.3']],
    ['image: registry.example.com/team/sardonyx:1.2.3', ['1.2.3']],
    ['SARDONYX_VERSION:-1.2.3}', ['1.2.3']],
    ['    newTag: 1.2.3', ['1.2.3']],
    ['    newTag: "1"', []],
    ['engine 1.30.0, fastify-5.12.8.tgz', []],
  ])('is found in %s', (text, versions) => {
    expect(findVersions(text)).toEqual(versions);
  });
});

describe('a change of version', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sardonyx-bump-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  for (const name of ['package.json', 'package-lock.json', 'CHANGELOG.md', ...listPlaces()])
    cpSync(name, join(folder, name));
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
  const run = (script: string, ...args: string[]) => {
    const tsx = resolve('node_modules/tsx/dist/cli.mjs');
    const all = [tsx, resolve('scripts/release', script), ...args];
    return spawnSync(process.execPath, all, { cwd: folder, encoding: 'utf8' });
  };
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');

  test('refuses a text that is no version', () => {
    const { status, stderr } = run('bump.ts', 'next');
    expect([status, stderr]).toEqual([1, 'bump: got "next", takes a version such as 0.2.0\n']);
  });

  test('reaches every place, and closes the section of the changelog', () => {
    const unreleased = readSection(read('CHANGELOG.md'), 'Unreleased');
    expect(run('bump.ts', '7.8.9')).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(read('package.json')).version).toBe('7.8.9');
    expect(JSON.parse(read('package-lock.json')).packages[''].version).toBe('7.8.9');
    const named = listPlaces().flatMap((file) => findVersions(read(file)));
    expect(new Set(named)).toEqual(new Set(['7.8.9']));
    expect(read('CHANGELOG.md')).toMatch(/^## \[Unreleased\]\n\n## \[7\.8\.9\] - \d{4}-\d\d-\d\d\n\n### /m);
    expect(readSection(read('CHANGELOG.md'), '7.8.9')).toBe(unreleased);
    expect(run('notes.ts', 'v7.8.9')).toMatchObject({ status: 0, stdout: `${unreleased}\n` });
  });

  test('is not made twice for the same changes, nor released under another tag', () => {
    expect(run('bump.ts', '7.9.0').stderr).toContain('the section [Unreleased] of CHANGELOG.md is empty');
    expect(JSON.parse(read('package.json')).version).toBe('7.8.9');
    const { status, stderr } = run('notes.ts', 'v7.9.0');
    expect([status, stderr]).toEqual([
      1,
      'notes: the tag is v7.9.0, but the version in package.json is 7.8.9\n',
    ]);
  });
});
