import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describeLicences } from './licences.js';
import { readLock } from './lock.js';

interface Package {
  readonly name: string;
  readonly version: string;
  readonly files: readonly string[];
  readonly scripts: Readonly<Record<string, string>>;
  readonly devDependencies?: unknown;
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly devDependencies?: unknown }>>;
}

/**
 * Lays the package of a release into an empty folder: what `package.json` names in `files`, the licences of all
 * dependencies, and what `writeManifests` writes.
 */
export function stagePackage(folder: string, repository?: string): void {
  for (const { path } of listFiles()) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    copyFileSync(path, join(folder, path));
  }
  writeManifests(folder, repository);
  writeFileSync(join(folder, licencesFile), describeLicences(readLock()));
}

/**
 * Writes `package.json` and the lock file without what is for development only. The lock file is `npm-shrinkwrap.json`,
 * which packages may hold: an install by it takes the very versions that the tests ran with. `repository` is the
 * address that npm's provenance must match.
 */
export function writeManifests(folder: string, repository?: string): void {
  const { devDependencies: _, scripts, ...rest }: Package = readJson('package.json');
  writeJson(join(folder, 'package.json'), {
    ...rest,
    files: [...rest.files, 'npm-shrinkwrap.json', licencesFile],
    scripts: { start: scripts['start'] },
    ...(repository && { repository: { type: 'git', url: repository } }),
  });
  const lock: Lock = readJson('package-lock.json');
  const packages = Object.entries(lock.packages)
    .filter(([, { dev }]) => !dev)
    .map(([path, { devDependencies: __, ...entry }]) => [path, entry]);
  writeJson(join(folder, 'npm-shrinkwrap.json'), { ...lock, packages: Object.fromEntries(packages) });
}

/** What npm takes for the package. */
function listFiles(): readonly { readonly path: string }[] {
  const listed = execFileSync('npm', ['pack', '--dry-run', '--ignore-scripts', '--json'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return (Object.values(JSON.parse(listed)) as { files: { path: string }[] }[]).flatMap(({ files }) => files);
}

export const licencesFile = 'THIRD-PARTY-LICENSES.txt';

const readJson = <T>(file: string): T => JSON.parse(readFileSync(file, 'utf8'));
const writeJson = (file: string, value: unknown) =>
  writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`);
