import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, expect, test } from 'vitest';

interface LockedPackage {
  readonly version: string;
  readonly dev?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
}

const read = (path: string) => JSON.parse(readFileSync(path, 'utf8'));
const folder = mkdtempSync(join(tmpdir(), 'sardonyx-package-'));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('the lock file has no dependency version that an installed package would not get', () => {
  expect(read('package.json')).not.toHaveProperty('overrides');
  const { packages } = read('package-lock.json') as { packages: Record<string, LockedPackage> };
  const others = Object.entries(packages).flatMap(([path, { dev, dependencies = {} }]) =>
    path === '' || dev
      ? []
      : Object.entries(dependencies).flatMap(([name, range]) => {
          const found = packages[`${path}/node_modules/${name}`] ?? packages[`node_modules/${name}`];
          const majors = range.split('||').map((part) => /^\s*[\^~]?(\d+)\./.exec(part)?.[1]);
          const isMatch = majors.some(
            (major) => major === undefined || found?.version.startsWith(`${major}.`),
          );
          return found === undefined || isMatch
            ? []
            : [`${path} takes ${name} ${range}, and ${found.version} is installed`];
        }),
  );
  expect(others).toEqual([]);
});

test('npm start runs the existing build if there is no compiler', async () => {
  for (const name of ['package.json', '.npmrc', 'models'])
    cpSync(name, join(folder, name), { recursive: true });
  symlinkSync(resolve('dist'), join(folder, 'dist'));
  mkdirSync(join(folder, 'node_modules'));
  for (const name of readdirSync('node_modules')) {
    if (!/^(typescript|@typescript|\..*)$/.test(name))
      symlinkSync(resolve('node_modules', name), join(folder, 'node_modules', name));
  }
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn('npm', ['start'], {
    cwd: folder,
    env: { PATH, HOME, PORT: '0', AUTH: 'off' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    // npm passes the signal on to the server.
    if (line.includes('"msg":"models loaded"')) child.kill('SIGTERM');
  }
  if (child.exitCode === null) await once(child, 'exit');
  expect(lines.map((line) => JSON.parse(line).msg)).toContain('stopped');
});
