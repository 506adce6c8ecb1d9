import { afterAll, beforeAll } from 'vitest';
import { buildTestApp, type TestApp } from './app.js';

/**
 * One server for the tests of a `describe` or of a file. The tests must not change it, and must not count lines of its
 * log or read its metrics: other tests write them too.
 */
export function shareTestApp(
  environment: Record<string, string> = {},
  build = buildTestApp,
): Omit<TestApp, typeof Symbol.asyncDispose> {
  let server: TestApp;
  beforeAll(async () => {
    server = await build(environment);
  });
  afterAll(() => server[Symbol.asyncDispose]());
  return {
    get app() {
      return server.app;
    },
    get logs() {
      return server.logs;
    },
    post: (...request) => server.post(...request),
    get: (...request) => server.get(...request),
  };
}
