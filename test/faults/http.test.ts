import { expect } from 'vitest';
import { fault } from './harness.js';

fault('H11', 'replaces a request id that is not a sane one', async ({ server }) => {
  const ids = ['x'.repeat(10_000), 'a"b', 'a\tb', '{"level":60}', 'é'];
  for (const id of ids) {
    const response = await fetch(`${server.url}/health`, {
      headers: { 'x-request-id': encodeURIComponent(id).slice(0, 9_000) },
    });
    expect(response.headers.get('x-request-id')).not.toContain('%');
  }
  const broken = server.stdout.filter((line) => !line.startsWith('{')).length;
  expect(broken).toBe(0);
  return `broken lines ${broken} of ${server.stdout.length}`;
});
