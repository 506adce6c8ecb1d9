import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The path of the first of these programs that is on the PATH. */
export function findOnPath(names: readonly string[]): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return names
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((file) => existsSync(file));
}

/** Installs a package, which is possible as root on Debian or Ubuntu. Returns whether it succeeded. */
export function installByApt(name: string): boolean {
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) return false;
  const install = () => runs('apt-get', ['install', '-y', '-q', '--no-install-recommends', name]);
  // On a fresh machine the package lists may be missing, or outdated.
  return install() || (runs('apt-get', ['update', '-q']) && install());
}

/** Runs a program to its end. Returns whether it exited with 0. */
export function runs(file: string, args: readonly string[]): boolean {
  // A package may try to start its own server, which the tests do not need.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  return spawnSync(file, args, { stdio: 'ignore', timeout: 300_000, env }).status === 0;
}
