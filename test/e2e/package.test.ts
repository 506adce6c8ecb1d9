import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

// The tarball that `npm pack` makes, unpacked elsewhere, with this checkout's dependencies beside it: what an
// installed package runs is what was packed and nothing of the checkout.
let folder: string;
let packed: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sardonyx-package-'));
  execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], {
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  execFileSync('tar', ['xzf', join(folder, 'sardonyx-0.1.0.tgz'), '-C', folder]);
  packed = join(folder, 'package');
  symlinkSync(resolve('node_modules'), join(packed, 'node_modules'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the packed package checks its own sample models', () => {
  const output = execFileSync(process.execPath, ['dist/cli.js', 'check', 'models'], {
    cwd: packed,
    encoding: 'utf8',
  });
  expect(output).toContain('All is well.');
});

test('the packed package has what it needs and nothing of the tests', () => {
  for (const name of [
    'dist/main.js',
    'dist/cli.js',
    'models/aliases.json',
    'README.md',
    'LICENSE',
    'docs/errors.md',
  ]) {
    expect(existsSync(join(packed, name)), name).toBe(true);
  }
  for (const name of ['src', 'test', 'bench', 'training', 'models/.cache'])
    expect(existsSync(join(packed, name)), name).toBe(false);
});
