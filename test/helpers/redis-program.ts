import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** How a Redis is run on this machine. */
export type RedisProgram =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'docker'; readonly image: string };

const image = 'redis:7';

/**
 * Finds a Redis, or gets one: `redis-server` or `valkey-server` on the PATH; else, as root on Debian or Ubuntu, by
 * apt-get; else an image of docker. Throws one line that names the three ways.
 */
export function provideRedisProgram(): RedisProgram {
  const program = findOnPath() ?? (installByApt() ? findOnPath() : undefined) ?? findInDocker();
  if (program !== undefined) return program;
  throw new Error(
    'the tests need a real Redis: put redis-server or valkey-server on the PATH, or run them as root on Debian or Ubuntu with apt-get, or with docker',
  );
}

function findOnPath(): RedisProgram | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const path = ['redis-server', 'valkey-server']
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((file) => existsSync(file));
  return path === undefined ? undefined : { kind: 'file', path };
}

function installByApt(): boolean {
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) return false;
  const install = () => runs('apt-get', ['install', '-y', '-q', '--no-install-recommends', 'redis-server']);
  // On a fresh machine the lists of packages may be missing, or name versions that are gone.
  return install() || (runs('apt-get', ['update', '-q']) && install());
}

function findInDocker(): RedisProgram | undefined {
  if (!runs('docker', ['version'])) return undefined;
  const isThere = runs('docker', ['image', 'inspect', image]) || runs('docker', ['pull', '-q', image]);
  return isThere ? { kind: 'docker', image } : undefined;
}

function runs(file: string, args: readonly string[]): boolean {
  // The package would start a server of its own, which nobody here asks.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  return spawnSync(file, args, { stdio: 'ignore', timeout: 300_000, env }).status === 0;
}
