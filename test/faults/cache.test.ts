import { Redis } from 'ioredis';
import { afterAll, expect, vi } from 'vitest';
import { buildTestApp } from '../helpers/app.js';
import { inParallel, readMetric } from '../helpers/ask.js';
import { linearRegression, slow } from '../helpers/onnx-models.js';
import { childrenOf, isRunning } from '../helpers/processes.js';
import { startRedis } from '../helpers/redis.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import type { ServerProcess } from '../helpers/server-process.js';
import { fault, faultWithoutServer } from './harness.js';

const folder = createRegistryFolder();
const features = ['a', 'b'].map((name) => ({ name, type: 'number' as const, example: 1 }));
// Their rows cost less than the cache: by default it would not be asked.
const manifest = { task: 'regression' as const, features, runtime: { cache: true } };
// Two models with equal features, and two versions of one: only the identity tells their answers apart.
const weights = { one: [1, 1_000], two: [2, 3_000] } as const;
for (const [model, [a, b]] of Object.entries(weights)) {
  folder.addVersion(model, '1', { manifest, model: linearRegression([a, b]) });
}
folder.addVersion('one', '2', { manifest, model: linearRegression([5, 7_000]) });
folder.addVersion('slow', '1', {
  manifest: {
    task: 'regression',
    features: [{ name: 'x', type: 'number', example: 1 }],
    runtime: { timeoutMs: 20_000, cache: true },
  },
  model: slow(),
});
const redis = await startRedis();
afterAll(async () => {
  folder[Symbol.dispose]();
  await redis.stop();
});
const environment = { MODELS_DIR: folder.path, CACHE: 'redis', REDIS_URL: redis.url, DEFAULT_MODEL: 'one' };
const golden = { path: '/models/two/predict', body: { a: 3, b: 4 } };

interface Answer {
  readonly status: number;
  readonly cache: string | null;
  readonly body: { readonly prediction: number; readonly prediction_id: string; readonly code?: string };
}

async function ask(server: ServerProcess, path: string, body: unknown): Promise<Answer> {
  const response = await fetch(server.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = (await response.json()) as Answer['body'];
  return { status: response.status, cache: response.headers.get('x-cache'), body: text };
}

const isUp = async (server: ServerProcess) =>
  (await (await fetch(`${server.url}/health`)).text()).includes('"redis":{"state":"up"}');

faultWithoutServer(
  'C05',
  'never takes the answer of one row, version or model for that of another',
  async () => {
    const asks = [
      ['one/1', 1, 1_000],
      ['one/2', 5, 7_000],
      ['two/1', 2, 3_000],
    ] as const;
    let state = 7;
    const next = (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    /** The same numbers in one of several spellings and orders. */
    const spell = (a: number, b: number): string => {
      const text = (value: number) => [`${value}`, `${value}.0`, `${value}e0`, `${value * 10}e-1`][next(4)];
      const members = [`"a":${text(a)}`, `"b":${text(b)}`];
      return `{${(next(2) === 0 ? members : members.reverse()).join(',')}}`;
    };
    let wrong = 0;
    const figures: string[] = [];
    for (const [kind, count] of [
      ['memory', 1_000_000],
      ['redis', 50_000],
    ] as const) {
      await using server = await buildTestApp({ ...environment, CACHE: kind, REDIS_TIMEOUT_MS: '2000' });
      const { app } = server;
      if (kind === 'redis') await vi.waitUntil(() => app.redis?.state === 'up', { timeout: 5_000 });
      let hits = 0;
      const one = async () => {
        const [place, wa, wb] = asks[next(asks.length)] as (typeof asks)[number];
        const [model = '', version = ''] = place.split('/');
        const [a, b] = [next(100), next(10)];
        const caller = { arrivedAt: performance.now() };
        const request = { model, version, requestId: 'c05', caller };
        const { answer, cache } = await app.predictor.predict(request, JSON.parse(spell(a, b)));
        if (cache === 'hit') hits += 1;
        const { prediction } = answer.value as { prediction: number };
        if (prediction !== wa * a + wb * b) wrong += 1;
      };
      for (let k = 0; k < count; k += 50) await Promise.all(Array.from({ length: 50 }, one));
      expect(hits, kind).toBeGreaterThan(count / 2);
      figures.push(`${hits} hits of ${count} in ${kind}`);
    }
    expect(wrong).toBe(0);
    return `wrong ${wrong}: ${figures.join(', ')}`;
  },
  120_000,
);

fault(
  'C06',
  'takes what is no answer of its own for a miss, and removes it',
  async ({ server }) => {
    await vi.waitUntil(() => isUp(server), { timeout: 5_000, interval: 20 });
    const client = new Redis(redis.url);
    const before = await readMetric(server.url, 'prediction_cache_corrupt_total');
    const namesBefore = new Set(await client.keys('sardonyx:c:*'));
    const fresh = async (body: object) => {
      const known = new Set(await client.keys('sardonyx:c:*'));
      expect((await ask(server, '/models/one/versions/1/predict', body)).cache).toBe('miss');
      await vi.waitUntil(async () => (await client.keys('sardonyx:c:*')).length > known.size, {
        timeout: 5_000,
      });
      return (await client.keys('sardonyx:c:*')).find((name) => !known.has(name)) as string;
    };
    // Rows that no other test asks.
    await fresh({ a: 100_001, b: 1 });
    const other = await client.get(await fresh({ a: 100_002, b: 2 }));
    const harms: Record<string, (name: string) => Promise<unknown>> = {
      junk: (name) => client.set(name, 'junk'),
      'another row': (name) => client.set(name, other as string),
      cut: async (name) => client.set(name, ((await client.get(name)) as string).slice(0, -1)),
      'one digit changed': async (name) =>
        client.set(
          name,
          ((await client.get(name)) as string).replace(/\d(?=\D*$)/, (it) => `${9 - Number(it)}`),
        ),
      '50 MB': (name) => client.set(name, Buffer.alloc(50_000_000, '1')),
      'a list': async (name) => {
        await client.del(name);
        await client.rpush(name, 'a', 'b');
      },
      'a set': async (name) => {
        await client.del(name);
        await client.sadd(name, 'a');
      },
    };
    let wrong = 0;
    for (const [k, harm] of Object.values(harms).entries()) {
      const body = { a: 100_010 + k, b: 5 };
      const name = await fresh(body);
      await harm(name);
      const answer = await ask(server, '/models/one/versions/1/predict', body);
      expect(answer.status).toBe(200);
      expect(answer.cache).toBe('miss');
      if (answer.body.prediction !== 100_010 + k + 5_000) wrong += 1;
      await vi.waitUntil(async () => (await client.type(name)) === 'string', { timeout: 5_000 });
      expect((await ask(server, '/models/one/versions/1/predict', body)).cache).toBe('hit');
    }
    const count = Object.keys(harms).length;
    expect(wrong).toBe(0);
    expect((await readMetric(server.url, 'prediction_cache_corrupt_total')) - before).toBe(count);
    expect(await isUp(server)).toBe(true);
    expect(namesBefore.size).toBeLessThan((await client.keys('sardonyx:c:*')).length);
    client.disconnect();
    return `wrong answers ${wrong} of ${count} harms: ${Object.keys(harms).join(', ')}`;
  },
  { environment: { ...environment, REDIS_TIMEOUT_MS: '2000' }, golden },
);

fault(
  'C07',
  'runs a hundred equal rows once, keeps no failure, and gives each answer an id of its own',
  async ({ server }) => {
    const runs = () => readMetric(server.url, 'prediction_run_seconds_count', 'model="slow"');
    const path = '/models/slow/predict';
    const together = (x: number) =>
      inParallel(Array.from({ length: 100 }), 100, () => ask(server, path, { x }));
    const before = await runs();
    const all = await together(30_000);
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set([200]));
    const made = (await runs()) - before;
    expect(made).toBe(1);

    // Its process is killed while a hundred wait for the run.
    const child = childrenOf(server.child.pid as number, 'slow/1')[0] as number;
    const lost = together(1e9);
    await vi.waitUntil(() => isRunning(child), { timeout: 5_000, interval: 5 });
    process.kill(child, 'SIGKILL');
    const codes = new Set((await lost).map(({ body }) => body.code));
    expect(codes).toEqual(new Set(['executor_lost']));
    const again = await together(30_001);
    expect(new Set(again.map(({ status }) => status))).toEqual(new Set([200]));

    const hits = await inParallel(Array.from({ length: 200 }), 10, () => ask(server, path, { x: 30_000 }));
    expect(new Set(hits.map(({ cache }) => cache))).toEqual(new Set(['hit']));
    const ids = [...all, ...again, ...hits].map(({ body }) => body.prediction_id);
    const repeated = ids.length - new Set(ids).size;
    expect(repeated).toBe(0);
    return `runs ${made} for 100 equal rows, failures kept 0, repeated ids ${repeated} of ${ids.length}`;
  },
  { environment: { ...environment, CACHE: 'memory', REDIS_URL: '' }, golden },
);
