import { expect, test, vi } from 'vitest';
import { PredictionLog } from '../../../src/monitoring/prediction-log/prediction-log.js';
import { createRedisStream } from '../../../src/monitoring/prediction-log/redis-stream.js';
import { buildTestApp } from '../../helpers/app.js';
import { startRedis } from '../../helpers/redis.js';
import { createTestLink } from '../../helpers/redis-link.js';
import { openSharedRedis } from '../../helpers/shared-redis.js';

const row = { age: 42, income: 51234.5, credit_score: 688 };

test('predictions are entries of the stream, in order, and the stream is bounded', async () => {
  await using redis = openSharedRedis();
  await using linked = createTestLink(redis.url, redis.prefix, 1_000);
  await linked.become('up');
  const key = `${redis.prefix}predictions`;
  const stream = createRedisStream(linked.link, key, 1_000);
  const lines = Array.from({ length: 5_000 }, (_unused, k) => `{"k":${k},"text":"ä€"}`);
  for (let from = 0; from < lines.length; from += 500) {
    const bytes = Buffer.from(`${lines.slice(from, from + 500).join('\n')}\n`);
    expect(await stream.write(bytes)).toBe(bytes.length);
  }
  const entries = await redis.client.xrange(key, '-', '+');
  expect(entries.length).toBeGreaterThanOrEqual(1_000);
  expect(entries.length).toBeLessThan(1_500);
  expect(entries.map(([, fields]) => fields)).toEqual(
    lines.slice(-entries.length).map((line) => ['line', line]),
  );
});

test('a Redis that refuses the stream, or is away, makes the lines wait', async () => {
  await using redis = openSharedRedis();
  await using linked = createTestLink(redis.url, redis.prefix, 1_000);
  await linked.become('up');
  const key = `${redis.prefix}predictions`;
  await redis.client.set(key, 'no stream');
  const errors: unknown[] = [];
  let written = 0;
  const log = new PredictionLog(createRedisStream(linked.link, key, 1_000), {
    onWritten: (lines) => (written += lines),
    onDropped: () => undefined,
    onFailure: (error) => errors.push(String(error)),
  });
  log.write('{}\n');
  await vi.waitUntil(() => errors.length > 0, { timeout: 5_000 });
  expect(errors[0]).toContain('Redis refuses the stream');
  await redis.client.del(key);
  await vi.waitUntil(() => written === 1, { timeout: 5_000 });
  await log.close();
});

test('a server whose Redis ends answers predictions, counts the part log, and loses no line meanwhile', async () => {
  await using redis = await startRedis();
  await using server = await buildTestApp({
    REDIS_URL: redis.url,
    PREDICTION_LOG: 'redis',
    REDIS_TIMEOUT_MS: '500',
  });
  await vi.waitUntil(() => server.app.redis?.state === 'up', { timeout: 10_000 });
  expect((await server.post('/predict', row)).status).toBe(200);
  const written = async () => {
    const text = (await server.get('/metrics')).text;
    return Number(/^prediction_log_lines_total\{result="written"\} (\d+)/m.exec(text)?.[1]);
  };
  await vi.waitUntil(async () => (await written()) === 1, { timeout: 5_000 });
  await redis.stop();
  expect((await server.post('/predict', { ...row, age: 43 })).status).toBe(200);
  await vi.waitUntil(
    async () => /degraded_total\{part="log"\} [1-9]/.test((await server.get('/metrics')).text),
    { timeout: 5_000 },
  );
  expect((await server.get('/metrics')).text).toContain('prediction_log_lines_total{result="dropped"} 0');
});
