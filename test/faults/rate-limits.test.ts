import { Agent, request } from 'node:http';
import { afterAll, expect, vi } from 'vitest';
import { readMetric } from '../helpers/ask.js';
import { fakeClock, noFakeClock, provideFakeClock } from '../helpers/fake-clock.js';
import { entry, secretOf } from '../helpers/keys.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { startRedis } from '../helpers/redis.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { type ServerProcess, startServerProcess } from '../helpers/server-process.js';
import { fault, faultWithoutServer } from './instruments/fault.js';
import { isFullSize, sizeNote } from './instruments/full-size.js';
import { type LoadResult, runLoad } from './instruments/load-generator.js';

const folder = createRegistryFolder();
afterAll(() => folder[Symbol.dispose]());
folder.addVersion('plain', '1', {
  manifest: { task: 'regression', features: [{ name: 'x', type: 'number', example: 1 }] },
  model: linearRegression([2], 1),
});
const models = { MODELS_DIR: folder.path, DEFAULT_MODEL: 'plain' };

const library = provideFakeClock();
const clockNote = library === undefined ? `, clocks as they are: ±5 s ${noFakeClock}` : ', clocks ±5 s';

interface Answer {
  readonly status: number;
  readonly retryAfter: number;
  readonly from: number;
  readonly to: number;
}

/** Sends one request with a forged client address. */
function ask(agent: Agent, { port }: ServerProcess, forged: string): Promise<Answer> {
  const body = '{"x":1}';
  const headers = {
    'content-type': 'application/json',
    'content-length': body.length,
    'x-forwarded-for': forged,
    'x-real-ip': forged,
    forwarded: `for=${forged}`,
  };
  return new Promise((resolve, reject) => {
    const from = performance.now();
    request({ agent, port, method: 'POST', path: '/predict', headers }, (response) => {
      response.resume().on('end', () => {
        const retryAfter = Number(response.headers['retry-after'] ?? Number.NaN);
        resolve({ status: response.statusCode ?? 0, retryAfter, from, to: performance.now() });
      });
    })
      .on('error', reject)
      .end(body);
  });
}

/** The most requests that were certainly admitted in one window: sent after its start, answered before its end. */
function maxInWindow(answers: readonly Answer[], windowMs: number): number {
  const taken = answers.filter(({ status }) => status === 200).sort((a, b) => a.from - b.from);
  return Math.max(
    ...taken.map(
      (first) => taken.filter((it) => it.from >= first.from && it.to - first.from < windowMs).length,
    ),
  );
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Floods four servers with different clocks at the same time. */
async function floodFour(redisUrl: string) {
  const max = 50;
  const windowMs = 2_000;
  const servers = await Promise.all(
    ['+5s', '-5s', '+0', '+2s'].map((offset) =>
      startServerProcess({
        ...models,
        REDIS_URL: redisUrl,
        RATE_LIMIT_MAX: String(max),
        RATE_LIMIT_WINDOW: '2 seconds',
        ...(library !== undefined && fakeClock(library, { FAKETIME: offset })),
      }),
    ),
  );
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  try {
    await Promise.all(servers.map((server) => vi.waitFor(() => expectRedis(server), { timeout: 5_000 })));
    const answers: Answer[] = [];
    const endsAt = performance.now() + (isFullSize ? 60_000 : 7_000);
    let forged = 0;
    const hammer = async (server: ServerProcess) => {
      while (performance.now() < endsAt) {
        forged += 1;
        answers.push(await ask(agent, server, `198.51.${(forged >> 8) & 255}.${forged & 255}`));
        // Bursts at the edges of Redis's seconds, and a steady stream between them.
        if (Date.now() % windowMs > 100) await pause(5);
      }
    };
    await Promise.all(servers.flatMap((server) => [hammer(server), hammer(server)]));
    // A client that waits for Retry-After must be admitted.
    const waits: number[] = [];
    for (const server of servers) {
      let last: Answer;
      do last = await ask(agent, server, '203.0.113.1');
      while (last.status === 200);
      await pause(last.to + last.retryAfter * 1_000 - performance.now());
      const next = await ask(agent, server, '203.0.113.2');
      expect(next.status, `after ${last.retryAfter} s`).toBe(200);
      waits.push(last.retryAfter);
    }
    const lost = await Promise.all(
      servers.map(({ url }) => readMetric(url, 'degraded_total', 'part="limits"')),
    );
    return { max, answers, waits, lost, inWindow: maxInWindow(answers, windowMs) };
  } finally {
    agent.destroy();
    await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
  }
}

faultWithoutServer(
  'A07',
  'two servers with one Redis run and keep N rows of batches in any window, and no row of a refused one',
  async () => {
    await using redis = await startRedis();
    const [max, batch] = [1_000, 37];
    const settings = { ...models, REDIS_URL: redis.url, REDIS_TIMEOUT_MS: '2000', RATE_LIMIT_MAX: '1000000' };
    const limited = { ...settings, RATE_LIMIT_ROWS: String(max), RATE_LIMIT_WINDOW: '2 seconds' };
    await using one = await startServerProcess(limited);
    await using two = await startServerProcess(limited);
    await Promise.all([one, two].map((server) => vi.waitFor(() => expectRedis(server), { timeout: 5_000 })));
    const taken: { from: number; to: number }[] = [];
    let [asked, refused, jobs] = [0, 0, 0];
    const endsAt = performance.now() + (isFullSize ? 60_000 : 5_000);
    const hammer = async ({ url }: ServerProcess, k: number) => {
      while (performance.now() < endsAt) {
        const from = performance.now();
        const isJob = k % 2 === 1;
        const answer = await fetch(`${url}/predict/batch`, {
          method: 'POST',
          headers: { 'content-type': 'application/x-ndjson', ...(!isJob && { prefer: 'wait=10' }) },
          body: '{"x":1}\n'.repeat(batch),
        });
        await answer.text();
        asked += 1;
        expect([200, 202, 429]).toContain(answer.status);
        if (answer.status === 429) {
          refused += 1;
          expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
          await pause(5);
        } else {
          taken.push({ from, to: performance.now() });
          if (isJob) jobs += 1;
        }
      }
    };
    await Promise.all([0, 1, 2, 3].map((k) => hammer(k < 2 ? one : two, k)));
    const inWindow = Math.max(
      ...taken.map(
        (first) => taken.filter((it) => it.from >= first.from && it.to - first.from < 2_000).length,
      ),
    );
    expect(refused).toBeGreaterThan(0);
    expect(inWindow * batch, 'rows admitted within one window').toBeLessThanOrEqual(max);
    const rows = taken.length * batch;
    const ran = async () => {
      const of = [one, two].map(({ url }) => readMetric(url, 'predictions_total', 'status="ok"'));
      return (await Promise.all(of)).reduce((sum, it) => sum + it, 0);
    };
    await vi.waitFor(async () => expect(await ran()).toBe(rows), { timeout: 30_000, interval: 200 });
    return `at most ${inWindow * batch} of ${max} rows in any 2 s, of ${asked * batch} sent in batches of ${batch} to 2 servers; ${rows} rows of ${taken.length} batches ran, ${jobs} of them jobs; ${refused} batches refused, rows of them that ran 0${sizeNote}`;
  },
  200_000,
);

faultWithoutServer(
  'A07',
  'four processes with one Redis admit N in any window, whatever their clocks and forged addresses',
  async () => {
    await using redis = await startRedis();
    // If Redis gets no processor time for 50 ms, each process applies the limit alone. Then the flood is repeated.
    for (let tries = 1; ; tries += 1) {
      const { max, answers, waits, lost, inWindow } = await floodFour(redis.url);
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 429]));
      const alone = lost.filter((it) => it > 0).length;
      expect(inWindow, 'admitted within one window').toBeLessThanOrEqual(max * (1 + alone));
      if (alone > 0 && tries < 3) continue;
      expect(alone, 'processes that applied the limit alone').toBe(0);
      expect(inWindow, 'admitted within one window').toBe(max);
      const admitted = answers.filter(({ status }) => status === 200).length;
      return `over-admitted ${(100 * inWindow) / max - 100} %: at most ${inWindow} of ${max} in any 2 s of ${answers.length} requests, ${admitted} admitted by 4 processes${clockNote}; Retry-After correct in ${waits.length} of ${waits.length} (${waits.join(', ')} s); bypasses 0 of ${answers.length} forged X-Forwarded-For${sizeNote}`;
    }
  },
  400_000,
);

async function expectRedis({ url }: ServerProcess): Promise<void> {
  const { redis } = (await (await fetch(`${url}/health`)).json()) as { redis?: unknown };
  expect(JSON.stringify(redis)).toContain('up');
}

fault(
  'A08',
  'systematic queries with one key get no more rows than its limit',
  async ({ server }) => {
    const max = 100;
    const seconds = isFullSize ? 300 : 3;
    const began = performance.now();
    const load = await runLoad(server, {
      path: '/models/plain/predict',
      body: { x: 1 },
      seconds,
      perSecond: 300,
      key: secretOf('curious'),
    });
    const windows = Math.ceil((performance.now() - began) / 60_000);
    const counted = await readMetric(server.url, 'rate_limited_total', 'by="key"');
    const { ok, asked, codes, withoutRetryAfter } = load;
    expect(ok).toBeGreaterThanOrEqual(max);
    expect(ok).toBeLessThanOrEqual(max * windows);
    expect(codes['rate_limited']).toBe(asked - ok);
    expect(counted, 'rate_limited_total').toBe(asked - ok);
    expect(withoutRetryAfter).toBe(0);
    return `at most ${max * 60} rows in an hour: ${ok} of ${asked} queries answered in ${seconds} s, ${(asked / seconds).toFixed(0)}/s sent, refused in ${load.refusedP99.toFixed(1)} ms p99; 10^6 queries would take ${(1e6 / (max * 60) / 24).toFixed(1)} days; rate_limited_total ${counted}${sizeNote}`;
  },
  {
    environment: {
      ...models,
      API_KEYS: JSON.stringify([entry('curious', { rateLimit: { max: 100, window: '1 minute' } })]),
    },
    // The golden request has no key.
    golden: undefined,
    timeoutMs: 400_000,
  },
);

fault(
  'O02',
  'a key that floods does not slow other keys down',
  async ({ server, expectBlocked }) => {
    expectBlocked();
    const seconds = isFullSize ? 20 : 2;
    const plain = { path: '/models/plain/predict', body: { x: 1 } };
    const flooding = { ...plain, perSecond: 500, seconds: seconds + 0.5 };
    const other = { ...plain, perSecond: 100, seconds, key: secretOf('other') };
    // Warms up the code.
    await runLoad(server, { ...other, seconds: 1 });
    const p99s = { calm: [] as number[], beside: [] as number[] };
    const rounds: string[] = [];
    for (let k = 0; k < 3; k += 1) {
      const calm = await runLoad(server, other);
      const flood = runLoad(server, { ...flooding, key: secretOf('flooding') });
      await pause(250);
      const beside = await runLoad(server, other);
      const flooded = await flood;
      expect(refusedOf(flooded), 'refused requests of the flood').toBeGreaterThan(flooded.asked / 2);
      rounds.push(`${calm.okP99.toFixed(1)} and ${beside.okP99.toFixed(1)} ms`);
      // A busy machine refuses some requests by their deadline; such a round does not count.
      const isSound = [calm, beside].every(({ ok, asked }) => ok === asked);
      if (!isSound) continue;
      p99s.calm.push(calm.okP99);
      p99s.beside.push(beside.okP99);
    }
    expect(
      p99s.calm.length,
      `rounds in which all requests of the other key were answered: ${rounds.join(', ')}`,
    ).toBeGreaterThan(0);
    const ratio = Math.min(...p99s.beside) / Math.min(...p99s.calm);
    const figure = `p99 of the other key without and with a flood of 500/s: ${rounds.join(', ')}; ratio of the best ${ratio.toFixed(2)} (aim 1.2)`;
    // On two busy processors the two generators and the server delay each other by some milliseconds.
    expect(ratio, figure).toBeLessThan(2);
    return figure + sizeNote;
  },
  {
    environment: {
      ...models,
      API_KEYS: JSON.stringify([
        entry('other'),
        entry('flooding', { rateLimit: { max: 100, window: '1 minute' } }),
      ]),
    },
    golden: undefined,
    timeoutMs: 300_000,
  },
);

const refusedOf = ({ codes }: LoadResult) => codes['rate_limited'] ?? 0;
