import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Redis } from 'ioredis';
import { afterAll, expect, vi } from 'vitest';
import { createMemoryCache } from '../../src/cache/memory-cache.js';
import { entry } from '../helpers/log-entry.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { startRedis } from '../helpers/redis.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { startServerProcess } from '../helpers/server-process.js';
import { fault, faultWithoutServer } from './instruments/fault.js';

/** Halves of surrogate pairs, their replacement in UTF-8, and similar strings. */
const letters = ['\ud800', '\ud801', '\udbff', '\udc00', '\ufffd', 'a\ud83d', 'a\ude00', '\u{1f600}'];
const folder = createRegistryFolder();
folder.addVersion('codes', '1', {
  manifest: {
    task: 'regression',
    runtime: { cache: true },
    features: [
      {
        name: 'letter',
        type: 'string',
        codes: Object.fromEntries(letters.map((letter, k) => [letter, k])),
        example: letters[7] as string,
      },
    ],
  },
  model: linearRegression([10]),
});
const redis = await startRedis();
const client = new Redis(redis.url);
afterAll(async () => {
  folder[Symbol.dispose]();
  client.disconnect();
  await redis.stop();
});
const environment = {
  MODELS_DIR: folder.path,
  DEFAULT_MODEL: 'codes',
  REDIS_URL: redis.url,
  REDIS_TIMEOUT_MS: '2000',
};
const golden = { path: '/predict', body: { letter: letters[7] } };

async function ask(url: string, letter: string) {
  const response = await fetch(`${url}/predict`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ letter }),
  });
  const { prediction } = (await response.json()) as { prediction?: number };
  return { status: response.status, prediction, headers: response.headers };
}

const isUp = async (url: string) =>
  (await (await fetch(`${url}/health`)).text()).includes('"redis":{"state":"up"}');

fault(
  'A09',
  'each half of a surrogate pair gets the answer of its own row, with the cache in Redis',
  async ({ server }) => {
    await vi.waitUntil(() => isUp(server.url), { timeout: 5_000, interval: 20 });
    let wrong = 0;
    let hits = 0;
    for (let round = 0; round < 3; round += 1) {
      for (const [k, letter] of letters.entries()) {
        const { prediction, headers } = await ask(server.url, letter);
        if (prediction !== 10 * k) wrong += 1;
        if (headers.get('x-cache') === 'hit') hits += 1;
      }
    }
    // The golden request has cached one of them before.
    expect([wrong, hits]).toEqual([0, 2 * letters.length + 1]);
    return `answers of another row: ${wrong} of ${3 * letters.length} (before the fix: 15), ${hits} from Redis`;
  },
  { environment: { ...environment, CACHE: 'redis' }, golden },
);

faultWithoutServer('A09', 'a forged limit log in Redis locks no client out', async () => {
  await using server = await startServerProcess({ ...environment, RATE_LIMIT_MAX: '3' });
  await vi.waitUntil(() => isUp(server.url), { timeout: 5_000, interval: 20 });
  const letter = letters[7] as string;
  await ask(server.url, letter);
  const [name = ''] = await client.keys('sardonyx:{limit}:address:*');
  const forgeries = {
    NaN: [entry(Number.NaN, 0, 3)],
    infinite: [entry(Infinity, 0, 3)],
    negative: [entry(-1, -1e300, 3)],
    'of 1 MB': [Buffer.alloc(1_048_576)],
    'short behind a sound one': [entry(Date.now() * 1_000, 0, 1), 'x'],
  };
  let wrong = 0;
  for (const forged of Object.values(forgeries)) {
    await client.del(name);
    await client.rpush(name, ...forged);
    const answers = [];
    for (let k = 0; k < 4; k += 1) answers.push(await ask(server.url, letter));
    if (answers.map(({ status }) => status).join() !== '200,200,200,429') wrong += 1;
    const retryAfter = Number(answers[3]?.headers.get('retry-after'));
    if (!(retryAfter > 0 && retryAfter <= 60)) wrong += 1;
    // The server remembers its last decision for a second.
    await new Promise((resolve) => setTimeout(resolve, 1_050));
  }
  expect(wrong).toBe(0);
  return `locked out ${wrong} of ${Object.keys(forgeries).length} (${Object.keys(forgeries).join(', ')}); Retry-After 1 to 60`;
});

faultWithoutServer('A09', 'cached texts with two bytes a letter stay within CACHE_MAX_MB', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const cache = createMemoryCache({ ttlMs: 3_600_000, maxEntries: 100_000, maxBytes: 64 * 1_048_576 });
  collect();
  const before = process.memoryUsage().heapUsed;
  const identity = 'a'.repeat(64);
  for (let k = 0; k < 6_000; k += 1) {
    cache.set({ identity, request: `[${k}]` }, JSON.parse(`"${'雪'.repeat(20_000)}${k}"`));
  }
  collect();
  const mb = (process.memoryUsage().heapUsed - before) / 1_048_576;
  expect(mb).toBeLessThan(68);
  expect(mb).toBeGreaterThan(40);
  cache.close();
  return `CACHE_MAX_MB=64 holds ${mb.toFixed(0)} MB (before the fix: 126)`;
});
