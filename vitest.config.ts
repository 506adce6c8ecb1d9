import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// One process a test file: the engine can be loaded once a process.
const shared = { pool: 'forks', globals: false } as const;

// A runner's child is the built one, as users run it: it starts in 60 ms, from the sources in 600.
const alias = [
  {
    find: /^\.\/runner-entry\.js$/,
    replacement: fileURLToPath(new URL('test/helpers/runner-entry.ts', import.meta.url)),
  },
];

export default defineConfig({
  test: {
    globalSetup: ['test/helpers/build.ts', 'test/helpers/redis-setup.ts'],
    projects: [
      {
        resolve: { alias },
        test: {
          ...shared,
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/faults/**'],
          // Much of a test's time is a child process that starts: the processors are not all taken by as many files.
          maxWorkers: '100%',
          // For what never ends: a busy machine takes several times as long as an idle one.
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        resolve: { alias },
        test: {
          ...shared,
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // What is timed must not compete with another test for the processor.
          fileParallelism: false,
        },
      },
    ],
  },
});
