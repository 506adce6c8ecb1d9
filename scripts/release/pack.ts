import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createBom } from './bom.js';
import { stagePackage } from './stage.js';

/** Writes a release into a folder: package, bill of materials, digests of both. Returns the path of the package. */
export function packRelease(folder: string, repository?: string): string {
  mkdirSync(folder, { recursive: true });
  const staged = mkdtempSync(join(tmpdir(), 'sardonyx-staged-'));
  try {
    stagePackage(staged, repository);
    const args = ['pack', staged, '--ignore-scripts', '--json', '--pack-destination', resolve(folder)];
    const [packed] = Object.values(JSON.parse(execFileSync('npm', args, { encoding: 'utf8' }))) as {
      filename: string;
    }[];
    if (packed === undefined) throw new Error('npm pack returned no file name');
    const { filename } = packed;
    const bom = `${JSON.stringify(createBom(), undefined, 2)}\n`;
    writeFileSync(join(folder, filename.replace(/\.tgz$/, '.cdx.json')), bom);
    const sums = readdirSync(folder)
      .filter((name) => name !== 'SHA256SUMS')
      .sort()
      .map((name) => `${sha256(join(folder, name))}  ${name}\n`);
    writeFileSync(join(folder, 'SHA256SUMS'), sums.join(''));
    return join(folder, filename);
  } finally {
    rmSync(staged, { recursive: true });
  }
}

const sha256 = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  // The compiler does not remove files of earlier builds.
  for (const made of ['dist', 'release']) rmSync(made, { recursive: true, force: true });
  execFileSync('npm', ['run', 'build', '--silent'], { stdio: 'inherit' });
  const { GITHUB_SERVER_URL, GITHUB_REPOSITORY } = process.env;
  const file = packRelease(
    'release',
    GITHUB_REPOSITORY && `git+${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}.git`,
  );
  process.stdout.write(`${file}\n`);
}
