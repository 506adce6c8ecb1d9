import { fileURLToPath } from 'node:url';

/** In place of src/inference/runner/runner-entry.ts (see vitest.config.ts): the child that `build.ts` has built. */
export const runnerEntry: readonly string[] = [
  fileURLToPath(new URL('../../dist/inference/runner/main.js', import.meta.url)),
];
