import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

// npx links the package of the current folder once, and makes its program executable only at that time.
test('npm run build makes an executable program, even after dist was removed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sardonyx-build-'));
  try {
    for (const name of ['package.json', 'tsconfig.json', 'tsconfig.build.json'])
      copyFileSync(name, join(folder, name));
    symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
    mkdirSync(join(folder, 'src'));
    const [firstLine] = readFileSync('src/cli.ts', 'utf8').split('\n');
    writeFileSync(join(folder, 'src/cli.ts'), `${firstLine}\nprocess.stdout.write('it runs');\n`);
    execFileSync('npm', ['run', 'build', '--silent'], { cwd: folder });
    const { bin } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(execFileSync(join(folder, bin.sardonyx), { encoding: 'utf8' })).toBe('it runs');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
