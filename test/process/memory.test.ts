import { expect, test } from 'vitest';
import { requireMemory } from '../../src/process/memory.js';

const mebibyte = 1_048_576;

test.each([
  [1, 255, 'the container may use 255 MiB, and the server needs at least 256 MiB'],
  [4, 512, 'the container may use 512 MiB, and 4 workers need at least 736 MiB'],
])('%i processes refuse to start with %i MiB of memory', (workers, mib, message) => {
  expect(() => requireMemory(workers, mib * mebibyte)).toThrow(message);
});

test.each([
  [1, 256 * mebibyte],
  [2, 416 * mebibyte],
  // No limit: the values that Node returns with and without cgroups.
  [16, 0],
  [16, 2 ** 64],
  [16, undefined],
])('%i processes start with %s bytes of memory', (workers, bytes) => {
  expect(() => requireMemory(workers, bytes)).not.toThrow();
});
