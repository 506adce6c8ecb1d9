import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { buildTestApp } from '../helpers/app.js';

test('docs/api.md names every metric of ours', async () => {
  // Nothing listens there: the metrics of Redis are given all the same.
  await using server = await buildTestApp({
    REDIS_URL: 'redis://127.0.0.1:1',
    CACHE: 'tiered',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
  });
  const given = (await server.get('/metrics')).body as string;
  const names = [...given.matchAll(/^# TYPE (\w+) /gm)].map(([, name]) => name as string);
  const ours = names.filter((name) => !/^(nodejs|process)_/.test(name));
  const page = readFileSync('docs/api.md', 'utf8').split('## Metrics')[1] as string;
  expect(ours.length).toBeGreaterThan(20);
  expect(ours.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});
