import { ConfigError } from '../errors.js';

// Measured in a container: with 192 MiB one of six sample versions was refused, because its sandbox ran out of memory;
// with 256 MiB all six loaded.
const firstMiB = 256;
const furtherMiB = 160;

/** With less memory sound versions would be refused, or the kernel would kill the server: throws `ConfigError`. */
export function requireMemory(workers: number, limitBytes = process.constrainedMemory()): void {
  const neededMiB = firstMiB + (workers - 1) * furtherMiB;
  const limitMiB = Math.floor((limitBytes ?? 0) / 1_048_576);
  // 0: no limit is set.
  if (limitMiB === 0 || limitMiB >= neededMiB) return;
  const what = workers === 1 ? 'the server needs' : `${workers} workers need`;
  throw new ConfigError([
    `memory: the container may use ${limitMiB} MiB, and ${what} at least ${neededMiB} MiB: raise its limit`,
  ]);
}
