import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The path of the first of these programs that the PATH has. */
export function findOnPath(names: readonly string[]): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return names
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((file) => existsSync(file));
}

/** Installs a package where that is possible: as root on Debian or Ubuntu. Gives whether it did. */
export function installByApt(name: string): boolean {
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) return false;
  const install = () => runs('apt-get', ['install', '-y', '-q', '--no-install-recommends', name]);
  // On a fresh machine the lists of packages may be missing, or name versions that are gone.
  return install() || (runs('apt-get', ['update', '-q']) && install());
}

/** Runs a program to its end, and gives whether it ended well. */
export function runs(file: string, args: readonly string[]): boolean {
  // A package may start a server of its own, which nobody here asks.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  return spawnSync(file, args, { stdio: 'ignore', timeout: 300_000, env }).status === 0;
}
