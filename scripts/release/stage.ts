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
 * Copies the package of a release into an empty folder: the `files` of `package.json`, the licences of all
 * dependencies, and the files of `writeManifests`.
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
 * Writes `package.json` and the lock file without their development parts. The lock file is named
 * `npm-shrinkwrap.json`, which packages may contain, so that an install gets the same versions that the tests ran with. `repository` is the
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

/** The files that `npm pack` would take. */
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
