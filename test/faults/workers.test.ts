import { setTimeout as pause } from 'node:timers/promises';
import { expect, vi } from 'vitest';
import { readMetric } from '../helpers/ask.js';
import { childrenOf, isAlive, isRunning } from '../helpers/processes.js';
import { type ServerProcess, startServerProcess, waitForLine } from '../helpers/server-process.js';
import { startGoodClient } from './instruments/clients.js';
import { startConnectionFlood } from './instruments/connection-flood.js';
import { faultWithoutServer } from './instruments/fault.js';
import { createPlainRegistry, endless, plainGolden, plainPrediction } from './instruments/plain-registry.js';

const folder = createPlainRegistry({ runaway: { timeoutMs: 60_000 } });
const environment = { WORKERS: '4', MODELS_DIR: folder.path, DEFAULT_MODEL: 'plain' };

/** A client that sends requests without pause, on one connection while it lasts. */
const startClient = (server: ServerProcess) =>
  startGoodClient(server, '/predict', JSON.stringify(plainGolden.body), {
    expecting: `"prediction":${plainPrediction}`,
    pauseMs: 0,
  });

faultWithoutServer('S07', 'a killed worker, one of four, is replaced', async () => {
  await using server = await startServerProcess(environment);
  const supervisor = server.child.pid as number;
  const clients: ReturnType<typeof startClient>[] = [];
  // Connected one after the other, so that each worker has the same number.
  for (let k = 0; k < 16; k += 1) {
    const client = startClient(server);
    expect(await client.isFirstGood).toBe(true);
    clients.push(client);
  }
  const victim = childrenOf(supervisor)[0] as number;
  const victims = [victim, ...childrenOf(victim)];
  const started = performance.now();
  process.kill(victim, 'SIGKILL');
  await waitForLine(server, 'worker listens', 5);
  const tookMs = performance.now() - started;
  const results = await Promise.all(clients.map((client) => client.stop()));
  const failed = results.reduce((sum, result) => sum + result.failed, 0);
  const answered = results.reduce((sum, result) => sum + result.answered, 0);

  expect(answered).toBeGreaterThan(100);
  // A quarter of the clients were connected to the killed worker, each with at most one request in flight.
  expect(failed).toBeLessThanOrEqual(4);
  expect(Math.max(...results.map((result) => result.failed))).toBeLessThanOrEqual(1);
  expect(await readMetric(server.url, 'workers_running')).toBe(4);
  expect(await readMetric(server.url, 'worker_restarts_total')).toBe(1);

  const all = [...childrenOf(supervisor), ...childrenOf(supervisor).flatMap((pid) => childrenOf(pid))];
  server.child.kill('SIGTERM');
  expect(await server.ended).toEqual({ code: 0, signal: null });
  const orphans = await countAlive([...victims, ...all]);
  expect(orphans).toBe(0);
  return `four workers again after ${tookMs.toFixed(0)} ms, failed ${failed} of ${failed + answered} requests, orphans ${orphans}`;
});

faultWithoutServer('S07', 'connections that were handed to a killed worker are closed', async () => {
  await using server = await startServerProcess({ ...environment, WORKERS: '2' });
  const kills = 8;
  const flood = startConnectionFlood(server.port, 32);
  for (let k = 0; k < kills; k += 1) {
    // The last two workers that logged "listens" are alive; this is the older one.
    process.kill(listeningPids(server).at(-2) as number, 'SIGKILL');
    await waitForLine(server, 'worker listens', 3 + k);
  }
  const { answered, failed, hung } = await flood.stop();
  expect(answered).toBeGreaterThan(100);
  expect(hung).toBe(0);
  return `hung ${hung}, failed ${failed} of ${answered + failed + hung} connections, ${kills} kills under a flood of new ones`;
});

faultWithoutServer('S07', 'a stuck worker is replaced', async () => {
  const script = "process.on('SIGUSR2', () => { for (;;); })";
  await using server = await startServerProcess({
    ...environment,
    WORKERS: '2',
    WORKER_SILENCE_TIMEOUT_MS: '2000',
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(script)}`,
  });
  const flood = startConnectionFlood(server.port, 8);
  const took: string[] = [];
  // SIGSTOP stops the process, SIGUSR2 makes it loop without end.
  for (const [k, signal] of (['SIGSTOP', 'SIGUSR2'] as const).entries()) {
    const stuckAt = performance.now();
    process.kill(listeningPids(server).at(-2) as number, signal);
    await waitForLine(server, 'worker listens', 3 + k);
    took.push(`${signal} ${((performance.now() - stuckAt) / 1_000).toFixed(1)} s`);
  }
  const { answered, failed, hung } = await flood.stop();
  expect(answered).toBeGreaterThan(100);
  expect(hung).toBe(0);
  expect(await readMetric(server.url, 'worker_restarts_total')).toBe(2);
  return `hung ${hung}, failed ${failed} of ${answered + failed + hung} connections, two workers again after ${took.join(', ')}, with WORKER_SILENCE_TIMEOUT_MS=2000`;
});

faultWithoutServer('S07', 'a killed supervisor leaves no worker and no child', async () => {
  let orphans = 0;
  let longestMs = 0;
  const tries = 3;
  for (let k = 0; k < tries; k += 1) {
    await using server = await startServerProcess({ ...environment, WORKERS: '2' });
    const run = fetch(`${server.url}/models/runaway/predict`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ x: endless }),
    }).catch(() => 'lost');
    const workers = childrenOf(server.child.pid as number);
    const children = workers.flatMap((pid) => childrenOf(pid));
    const all = [...workers, ...children];
    // Two workers, each with a runner for the model and a spare one.
    expect(all.length).toBe(6);
    await vi.waitUntil(() => children.some(isRunning), { timeout: 5_000, interval: 20 });
    const started = performance.now();
    process.kill(server.child.pid as number, 'SIGKILL');
    orphans += await countAlive(all);
    longestMs = Math.max(longestMs, performance.now() - started);
    expect(await run).toBe('lost');
  }
  expect(orphans).toBe(0);
  return `orphans ${orphans} of ${4 * tries} processes, the last ended after ${longestMs.toFixed(0)} ms at most, ${tries} kills`;
});

/** Counts the processes that live after 2 s, in which a child must notice the end of its parent. */
async function countAlive(pids: readonly number[]): Promise<number> {
  const deadline = performance.now() + 2_000;
  while (pids.some(isAlive) && performance.now() < deadline) {
    await pause(20);
  }
  return pids.filter(isAlive).length;
}

/** The pids of the workers that logged "worker listens", in that order. */
function listeningPids(server: ServerProcess): number[] {
  const lines = server.stdout.filter((line) => line.includes('worker listens'));
  return lines.map((line) => JSON.parse(line).pid);
}
