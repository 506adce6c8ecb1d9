import { ConfigError } from '../errors.js';

/**
 * What one server needs to load a version and to answer. Measured in a container: at 192 MiB one of six sample versions
 * was refused, since the child that tries it ran out of memory, and at 256 MiB none was.
 */
const firstMiB = 256;
const furtherMiB = 160;

/**
 * Throws `ConfigError` where the container has too little memory: versions would be refused for a fault that is not
 * theirs, or the kernel would kill the server.
 */
export function requireMemory(workers: number, limitBytes = process.constrainedMemory()): void {
  const neededMiB = firstMiB + (workers - 1) * furtherMiB;
  const limitMiB = Math.floor((limitBytes ?? 0) / 1_048_576);
  // 0 where nothing limits the process.
  if (limitMiB === 0 || limitMiB >= neededMiB) return;
  const what = workers === 1 ? 'the server needs' : `${workers} workers need`;
  throw new ConfigError([
    `memory: the container may use ${limitMiB} MiB, and ${what} at least ${neededMiB} MiB: raise its limit`,
  ]);
}
