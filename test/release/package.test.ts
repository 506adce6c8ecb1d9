import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readLock } from '../../scripts/release/lock.js';
import { releasePackage } from '../helpers/released-package.js';

const release = releasePackage();
afterAll(() => release[Symbol.dispose]());
execFileSync('tar', ['-xf', release.file, '-C', release.folder]);
const unpacked = join(release.folder, 'package');
const read = (name: string) => JSON.parse(readFileSync(join(unpacked, name), 'utf8'));
const files = execFileSync('tar', ['-tf', release.file], { encoding: 'utf8' })
  .split('\n')
  .filter(Boolean)
  .map((path) => path.replace('package/', ''));

describe('the package of a release', () => {
  test('holds the build, models, docs and deployment files, and nothing for development', () => {
    const kinds = [
      /^dist\/.*\.(js|json)$/,
      /^models\//,
      /^console\/[a-z-]+\.(js|css|svg)$/,
      /^docs\/.*\.md$/,
      /^(deploy|k8s)\//,
      /^(README|CHANGELOG|SECURITY)\.md$/,
      /^(LICENSE|\.env\.example|THIRD-PARTY-LICENSES\.txt|package\.json|npm-shrinkwrap\.json)$/,
    ];
    expect(files.filter((path) => !kinds.some((kind) => kind.test(path)))).toEqual([]);
    for (const kind of kinds) expect(files.some((path) => kind.test(path))).toBe(true);
    expect(files.filter((path) => /\b(test|bench)|(^|\/)\.env$|keys\.json$|\.(pem|key)$/.test(path))).toEqual(
      [],
    );
    expect(statSync(release.file).size).toBeLessThan(1_100_000);
  });

  test('has pages whose links lead to files inside the package', () => {
    const pages = files.filter((path) => /^(docs\/.*|SECURITY)\.md$/.test(path));
    const broken = pages.flatMap((page) =>
      [...readFileSync(join(unpacked, page), 'utf8').matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
        .map(([, link]) => join(dirname(page), link as string))
        .filter((link) => !/https?:\//.test(link))
        // Images are built from the repository: the package leaves these out.
        .filter((link) => !/^(Dockerfile|docker-compose\.yml)$/.test(link))
        .filter((link) => !existsSync(join(unpacked, link)))
        .map((link) => `${page}: ${link}`),
    );
    expect(broken).toEqual([]);
  });

  test('locks the versions that the tests ran with', () => {
    expect(readLock(join(unpacked, 'npm-shrinkwrap.json'))).toEqual(readLock());
    const { devDependencies, scripts } = read('package.json');
    expect(devDependencies).toBeUndefined();
    expect(Object.keys(scripts)).toEqual(['start']);
    expect(readLock().filter(({ integrity }) => !integrity?.startsWith('sha512-'))).toEqual([]);
  });

  test('comes with a bill of materials, and with digests for sha256sum', () => {
    const folder = dirname(release.file);
    const checked = execFileSync('sha256sum', ['--check', 'SHA256SUMS'], { cwd: folder, encoding: 'utf8' });
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(checked).toBe(`sardonyx-${version}.cdx.json: OK\nsardonyx-${version}.tgz: OK\n`);
  });
});
