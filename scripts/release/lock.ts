import { readFileSync } from 'node:fs';

/** A production dependency, as in the lock file. */
export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  /** Its folder, from the root of the project. */
  readonly path: string;
  /** The SPDX expression of its own `package.json`. */
  readonly license: string | undefined;
  readonly integrity: string | undefined;
}

type Entry = Omit<LockedPackage, 'name' | 'path'> & { readonly dev?: boolean };

/** The production dependencies of a lock file, one entry for each folder that a package is installed in. */
export function readLock(file = 'package-lock.json'): readonly LockedPackage[] {
  const { packages } = JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, Entry> };
  return Object.entries(packages)
    .filter(([path, { dev }]) => path !== '' && !dev)
    .map(([path, { version, license, integrity }]) => ({
      name: path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length),
      version,
      path,
      license,
      integrity,
    }));
}
