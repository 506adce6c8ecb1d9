import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// One process a test file: the engine can be loaded once a process.
const shared = {
  pool: 'forks',
  globals: false,
  // For a test that never ends: a busy machine takes several times as long as an idle one.
  testTimeout: 60_000,
  hookTimeout: 60_000,
} as const;

// A child process is the built one, as users run it: it starts in 60 ms, from the sources in 600.
const alias = [
  {
    find: /^\.\/runner-entry\.js$/,
    replacement: fileURLToPath(new URL('test/helpers/runner-entry.ts', import.meta.url)),
  },
  {
    find: /^\.\/job-process-entry\.js$/,
    replacement: fileURLToPath(new URL('test/helpers/job-process-entry.ts', import.meta.url)),
  },
];

// Tests that start whole programs: servers, several Redises, kustomize, npm. They take most of the time.
const programs = ['cluster', 'deploy', 'docs', 'e2e', 'k8s', 'redis', 'release'].map((it) => `test/${it}`);

export default defineConfig({
  test: {
    globalSetup: ['test/helpers/build.ts', 'test/helpers/redis-setup.ts'],
    projects: [
      {
        resolve: { alias },
        test: {
          ...shared,
          name: 'unit',
          // One process runs file after file: to import the sources again for each would be a third of the time.
          isolate: false,
          include: ['test/**/*.test.ts'],
          exclude: ['test/faults/**', ...programs.map((folder) => `${folder}/**`)],
          // More than processors: a test often waits for a child process.
          maxWorkers: '200%',
        },
      },
      {
        resolve: { alias },
        test: {
          ...shared,
          name: 'programs',
          include: programs.map((folder) => `${folder}/**/*.test.ts`),
          // A test waits for its program most of the time.
          maxWorkers: '100%',
        },
      },
      {
        resolve: { alias },
        test: {
          ...shared,
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          // Timed tests must not compete with other tests for the processors.
          fileParallelism: false,
        },
      },
    ],
  },
});
