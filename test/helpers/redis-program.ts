import { findOnPath, installByApt, runs } from './programs.js';

/** How to run a Redis on this machine. */
export type RedisProgram =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'docker'; readonly image: string };

const image = 'redis:7';

/**
 * Finds or installs a Redis: `redis-server` or `valkey-server` on the PATH; else, as root on Debian or Ubuntu, with
 * apt-get; else a docker image. Throws one line that names the three ways.
 */
export function provideRedisProgram(): RedisProgram {
  const program = findFile() ?? (installByApt('redis-server') ? findFile() : undefined) ?? findInDocker();
  if (program !== undefined) return program;
  throw new Error(
    'the tests need a real Redis: put redis-server or valkey-server on the PATH, or run them as root on Debian or Ubuntu with apt-get, or with docker',
  );
}

function findFile(): RedisProgram | undefined {
  const path = findOnPath(['redis-server', 'valkey-server']);
  return path === undefined ? undefined : { kind: 'file', path };
}

function findInDocker(): RedisProgram | undefined {
  if (!runs('docker', ['version'])) return undefined;
  const isThere = runs('docker', ['image', 'inspect', image]) || runs('docker', ['pull', '-q', image]);
  return isThere ? { kind: 'docker', image } : undefined;
}
