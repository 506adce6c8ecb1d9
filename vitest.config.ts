import { defineConfig } from 'vitest/config';

// One process a test file: the engine can be loaded once a process.
const shared = { pool: 'forks', globals: false } as const;

export default defineConfig({
  test: {
    globalSetup: ['test/helpers/build.ts', 'test/helpers/redis-setup.ts'],
    projects: [
      {
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
