import { fileURLToPath } from 'node:url';

/** In place of src/jobs/process/job-process-entry.ts (see vitest.config.ts): the process that `build.ts` has built. */
export const jobProcessEntry: readonly string[] = [
  fileURLToPath(new URL('../../dist/jobs/process/main.js', import.meta.url)),
];
