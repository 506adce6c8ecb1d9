import { defineConfig } from 'vitest/config';

// One process a test file: the engine can be loaded once a process.
const shared = { pool: 'forks', globals: false, env: { ORT_DISABLE_TELEMETRY: '1' } } as const;

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...shared,
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/faults/**'],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          ...shared,
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
