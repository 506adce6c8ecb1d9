import { Agent } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, expect } from 'vitest';
import { ask as askModel, readMetric } from '../helpers/ask.js';
import { childOf, cpuMs } from '../helpers/processes.js';
import type { ServerProcess } from '../helpers/server-process.js';
import { postOn } from './instruments/clients.js';
import { fault } from './instruments/fault.js';
import { isFullSize, sizeNote } from './instruments/full-size.js';
import { type LoadResult, runLoad } from './instruments/load-generator.js';
import { p99 } from './instruments/percentile.js';
import { createPlainRegistry, plainGolden } from './instruments/plain-registry.js';
import { createThreadBlocker } from './instruments/thread-blocker.js';

const timeoutMs = 300;
const maxQueueRows = 5;
const oneByOne = { executor: 'isolated', maxBatchRows: 1 } as const;
const folder = createPlainRegistry({
  heavy: { ...oneByOne, timeoutMs, iterations: 160 },
  heavier: { ...oneByOne, timeoutMs: 1_000, iterations: 400 },
  'short-queue': { ...oneByOne, timeoutMs: 60_000, maxQueueRows },
});
const options = {
  environment: { MODELS_DIR: folder.path, DEFAULT_MODEL: 'plain' },
  golden: plainGolden,
  // Each load runs up to three times; in the full size it takes half a minute.
  timeoutMs: isFullSize ? 1_200_000 : 300_000,
};
const blocking = createThreadBlocker(2_000);
afterAll(() => blocking[Symbol.dispose]());
const heavy = { path: '/models/heavy/predict', body: { x: 1 } };
const heavier = { path: '/models/heavier/predict', body: { x: 1 } };
const seconds = isFullSize ? 30 : 2;

/** Runs a load on `heavy`, and counts the answers for each second of processor time of its child. */
async function runHeavy(server: ServerProcess, load: Partial<Parameters<typeof runLoad>[1]>) {
  const child = childOf(server.child.pid as number, 'heavy/1') as number;
  const before = cpuMs(child);
  const result = await runLoad(server, { ...heavy, seconds, ...load });
  return { ...result, perCpuSecond: (1_000 * result.ok) / (cpuMs(child) - before) };
}

/**
 * Compares the goodput of an open loop with the capacity, which a closed loop measures just before: answers a second
 * (`share`), and answers for each second of processor time of the child (`shareOfCpu`). Sending and refusing requests
 * also use the processors, as do other processes, so the best of up to three tries counts.
 */
async function compareGoodput(server: ServerProcess, times: number, retries = 0) {
  const pairs: { load: LoadResult; capacity: number; share: number; shareOfCpu: number }[] = [];
  do {
    const closed = await runHeavy(server, { seconds: 2, clients: 4 });
    const capacity = closed.goodput;
    const load = await runHeavy(server, { perSecond: times * capacity, retries });
    expectRefusals(load);
    const shareOfCpu = load.perCpuSecond / closed.perCpuSecond;
    pairs.push({ load, capacity, share: load.goodput / capacity, shareOfCpu });
  } while (pairs.length < 3 && (pairs.at(-1)?.share ?? 0) < 0.9);
  return pairs.reduce((best, pair) => (pair.share > best.share ? pair : best));
}

/** Asserts that each request was answered, or refused by contract. */
function expectRefusals({ asked, ok, codes, withoutRetryAfter }: LoadResult): void {
  const { overloaded = 0, deadline_exceeded = 0 } = codes;
  expect(ok + overloaded + deadline_exceeded, JSON.stringify(codes)).toBe(asked);
  // Admitted by the run time so far, but late because the next runs took longer.
  expect(deadline_exceeded, 'admitted but late').toBeLessThan(0.02 * asked);
  expect(withoutRetryAfter).toBe(0);
}

fault(
  'O01',
  'under overload the server answers up to its capacity in time, and refuses the rest at once',
  async ({ server, expectBlocked }) => {
    // The row probes /health/live itself: generator, server and child share two processors.
    expectBlocked();
    // Warms up the code.
    await runLoad(server, { ...heavy, seconds: 1, perSecond: 300 });
    const health = probeHealth(server);
    const curve: string[] = [];
    const shares: number[] = [];
    const sharesOfCpu: number[] = [];
    for (const times of [2, 5, 10]) {
      const { load, capacity: possible, share, shareOfCpu } = await compareGoodput(server, times);
      expect(load.serverP99, 'p99 of accepted requests in the server').toBeGreaterThan(0);
      expect(load.serverP99, 'p99 of accepted requests in the server').toBeLessThanOrEqual(1.1 * timeoutMs);
      shares.push(share);
      sharesOfCpu.push(shareOfCpu);
      curve.push(
        `${times}x ${load.goodput.toFixed(0)} of ${possible.toFixed(0)}/s (accepted p99 ${load.serverP99.toFixed(0)} ms of ${timeoutMs} in the server, ${load.okP99.toFixed(0)} ms at the client; refused in ${load.refusedP99.toFixed(1)} ms p99, admitted but late ${load.codes['deadline_exceeded'] ?? 0} of ${load.asked})`,
      );
    }
    const retried = await compareGoodput(server, 2, 3);
    const ended = performance.now();
    shares.push(retried.share);
    sharesOfCpu.push(retried.shareOfCpu);
    curve.push(`2x with 3 retries ${retried.load.goodput.toFixed(0)} of ${retried.capacity.toFixed(0)}/s`);
    while ((await ask(server, 'heavy', 1)) !== 200) expect(performance.now() - ended).toBeLessThan(1_000);
    const recoverMs = performance.now() - ended;
    const { p99, failed } = await health.stop();
    const minShare = Math.min(...shares);
    expect(failed).toBe(0);
    const minCpuShare = Math.min(...sharesOfCpu);
    expect(minCpuShare, curve.join(', ')).toBeGreaterThanOrEqual(0.9);
    expect(minShare, curve.join(', ')).toBeGreaterThanOrEqual(0.65);
    return `goodput ${(100 * minShare).toFixed(0)} % of the capacity at least, ${(100 * minCpuShare).toFixed(0)} % by processor time of the child (aim 90): ${curve.join(', ')}; /health/live p99 ${p99.toFixed(1)} ms; recovered in ${(recoverMs / 1_000).toFixed(2)} s${sizeNote}`;
  },
  options,
);

fault(
  'O01',
  'a queue holds at most maxQueueRows rows',
  async ({ server, expectBlocked }) => {
    // Many new connections at once, before the code is warm.
    expectBlocked();
    const requests = 30;
    const statuses = await Promise.all(
      Array.from({ length: requests }, () => ask(server, 'short-queue', 5_000)),
    );
    const answered = statuses.filter((status) => status === 200).length;
    expect(statuses.filter((status) => status === 503).length).toBe(requests - answered);
    // One row runs while the others wait.
    expect(answered).toBeLessThanOrEqual(maxQueueRows + 1);
    expect(answered).toBeGreaterThanOrEqual(maxQueueRows);
    return `accepted ${answered} of ${requests} at once: ${maxQueueRows} may wait and 1 runs`;
  },
  options,
);

for (const cache of ['off', 'memory']) {
  fault(
    'O01',
    `an invalid body gets 400 under overload too, with CACHE=${cache}`,
    async ({ server, expectBlocked }) => {
      expectBlocked();
      const requests = 30;
      // Different rows, since with a cache equal rows would share one run.
      const filling = Array.from({ length: requests }, (_, k) => ask(server, 'short-queue', 5_000 + k));
      await pause(100);
      const valid = Array.from({ length: requests }, (_, k) => ask(server, 'short-queue', 6_000 + k));
      const invalid = Array.from({ length: requests }, async (_, k) => {
        const { status } = await askModel(server.url, 'short-queue', { x: `no number ${k}` });
        return status;
      });
      const counts = {
        valid: countEach(await Promise.all(valid)),
        invalid: countEach(await Promise.all(invalid)),
      };
      await Promise.all(filling);
      const figure = `CACHE=${cache}, the queue is full: ${JSON.stringify(counts)}`;
      expect(counts, figure).toEqual({ valid: { 503: requests }, invalid: { 400: requests } });
      return figure;
    },
    { ...options, environment: { ...options.environment, CACHE: cache } },
  );
}

fault(
  'O02',
  'a flood on one model does not slow another model down',
  async ({ server, expectBlocked }) => {
    expectBlocked();
    const capacity = (await runLoad(server, { ...heavier, seconds: 2, clients: 4 })).goodput;
    const other = { path: '/models/plain/predict', body: { x: 1 }, perSecond: 100, seconds };
    const p99s = { alone: [], calm: [], flooded: [] } as Record<'alone' | 'calm' | 'flooded', number[]>;
    // In turn, so that other load of the machine affects all three; the best of each counts.
    for (let k = 0; k < 3; k += 1) {
      const alone = await runLoad(server, other);
      // The busy child alone uses one processor.
      const asker = runLoad(server, { ...heavier, seconds: seconds + 0.5, clients: 2 });
      await pause(250);
      const calm = await runLoad(server, other);
      await asker;
      const flood = runLoad(server, { ...heavier, seconds: seconds + 0.5, perSecond: 10 * capacity });
      await pause(250);
      const beside = await runLoad(server, other);
      const flooded = await flood;
      expect(flooded.codes['overloaded'], 'refused requests of the flood').toBeGreaterThan(flooded.asked / 2);
      for (const { ok, asked } of [alone, calm, beside]) expect(ok).toBe(asked);
      p99s.alone.push(alone.okP99);
      p99s.calm.push(calm.okP99);
      p99s.flooded.push(beside.okP99);
    }
    const [alone, calm, flooded] = [p99s.alone, p99s.calm, p99s.flooded].map((it) => Math.min(...it));
    const ratio = (flooded as number) / (calm as number);
    const figure = `p99 ${alone?.toFixed(2)} ms alone, ${calm?.toFixed(2)} ms while another model's child is busy, ${flooded?.toFixed(2)} ms under a flood of 10 times its capacity (${(10 * capacity).toFixed(0)}/s): ratio ${ratio.toFixed(2)} (aim 1.2)`;
    // On two busy processors the generator, the server and the child delay each other by some milliseconds.
    expect(flooded, figure).toBeLessThan(2 * (calm as number) + 25);
    return figure + sizeNote;
  },
  options,
);

fault(
  'O03',
  'a server whose event loop was blocked for 2 s refuses expired requests, and continues',
  async ({ server, expectBlocked }) => {
    expectBlocked();
    const requests = 50;
    const agent = new Agent({ keepAlive: true, maxSockets: requests });
    const onKnown = () => askOn(agent, server, { 'x-request-timeout-ms': '500' });
    const onNew = () => askOn(undefined, server, { 'x-request-timeout-ms': '500', connection: 'close' });
    const all = (ask: () => Promise<number>) => Promise.all(Array.from({ length: requests }, ask));
    expect(new Set(await all(() => askOn(agent, server)))).toEqual(new Set([200]));
    const runs = await countRuns(server);
    const health = probeHealth(server);
    const blocked = blocking.block(server);
    await pause(200);
    const [known, fresh] = [all(onKnown), all(onNew)];
    const statuses = { known: await known, fresh: await fresh };
    await blocked;
    const { failed, longestMs } = await health.stop();
    agent.destroy();
    const ran = (await countRuns(server)) - runs;
    const refusedOf = (list: number[]) => list.filter((it) => it === 503 || it === 504).length;
    const figure = `failed probes ${failed}, the longest ${longestMs.toFixed(0)} ms; refused requests whose deadline had passed ${refusedOf(statuses.known)} of ${requests} on open connections, ${refusedOf(statuses.fresh)} of ${requests} on new ones; runs after the deadline ${ran}`;
    expect(failed, 'failed probes').toBe(0);
    expect(longestMs, 'the block').toBeGreaterThan(1_000);
    expect(refusedOf(statuses.known), figure).toBe(requests);
    expect(refusedOf(statuses.fresh), figure).toBe(requests);
    expect(ran, figure).toBe(0);
    expect(await ask(server, 'plain', 1)).toBe(200);
    return figure;
  },
  { ...options, environment: { ...options.environment, ...blocking.environment } },
);

fault(
  'O03',
  'a process that was stopped for 2 s continues',
  async ({ server, expectBlocked }) => {
    expectBlocked();
    const health = probeHealth(server);
    process.kill(server.child.pid as number, 'SIGSTOP');
    await pause(50);
    const waiting = Array.from({ length: 50 }, () => ask(server, 'plain', 1));
    await pause(2_000);
    process.kill(server.child.pid as number, 'SIGCONT');
    const late = await Promise.all(waiting);
    const { failed, longestMs } = await health.stop();
    expect(failed, 'failed probes').toBe(0);
    expect(longestMs, 'the stop').toBeGreaterThan(1_500);
    // A process that was stopped while idle cannot distinguish that from being idle, so it may answer these.
    const answered = late.filter((status) => status === 200).length;
    expect(late.filter((status) => status >= 500 && status !== 503 && status !== 504)).toEqual([]);
    expect(await ask(server, 'plain', 1)).toBe(200);
    return `failed probes ${failed}, the longest ${longestMs.toFixed(0)} ms; answered ${answered} of ${late.length} requests that came meanwhile`;
  },
  options,
);

const askOn = async (agent: Agent | undefined, { port }: ServerProcess, more: Record<string, string> = {}) =>
  (await postOn(agent, port, '/models/plain/predict', '{"x":1}', more)).status;

/** Counts each status. */
function countEach(statuses: readonly number[]): Readonly<Record<number, number>> {
  const counts: Record<number, number> = {};
  for (const status of statuses) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

const countRuns = ({ url }: ServerProcess) =>
  readMetric(url, 'prediction_run_seconds_count', 'model="plain"');

const ask = async ({ url }: ServerProcess, model: string, x: number) =>
  (await askModel(url, model, { x })).status;

/** Probes /health/live every 20 ms until stopped. */
function probeHealth({ url }: ServerProcess) {
  const times: number[] = [];
  let failed = 0;
  let isOver = false;
  const asking = (async () => {
    while (!isOver) {
      const started = performance.now();
      try {
        const response = await fetch(`${url}/health/live`);
        await response.arrayBuffer();
        if (response.status !== 200) failed += 1;
      } catch {
        failed += 1;
      }
      times.push(performance.now() - started);
      await pause(20);
    }
  })();
  return {
    async stop() {
      isOver = true;
      await asking;
      return { failed, p99: p99(times), longestMs: Math.max(...times) };
    },
  };
}
