import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { afterAll, expect, test, vi } from 'vitest';
import { readMetric } from '../helpers/ask.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { type ServerProcess, startServerProcess, waitForLine } from '../helpers/server-process.js';

const folder = createRegistryFolder();
afterAll(() => folder[Symbol.dispose]());
const two = { WORKERS: '2', MODELS_DIR: folder.path, WORKER_SILENCE_TIMEOUT_MS: '1000' };

function linesOf(server: ServerProcess, text: string) {
  return server.stdout.filter((line) => line.includes(text)).map((line) => JSON.parse(line));
}

/** Keeps its connection open, so that the next request goes to the same worker. */
async function getHealth(server: ServerProcess, agent: Agent) {
  const sent = get({ port: server.port, path: '/health', agent });
  const [response] = await once(sent, 'response');
  response.setEncoding('utf8');
  return JSON.parse((await response.toArray()).join(''));
}

const createAgent = () => new Agent({ keepAlive: true, maxSockets: 1 });

test('a stuck worker counts as not running, and is replaced after WORKER_SILENCE_TIMEOUT_MS', async () => {
  await using server = await startServerProcess(two);
  const [{ worker, pid }] = linesOf(server, 'worker listens');
  process.kill(pid, 'SIGSTOP');
  const stopped = performance.now();
  // The stopped worker gets at most one of two new connections; that one is cut when the worker is killed.
  const agents = [createAgent(), createAgent()];
  const other = await Promise.any(agents.map(async (agent) => getHealth(server, agent).then(() => agent)));
  const isRunning = async (running: number) => (await getHealth(server, other)).workers.running === running;
  await vi.waitUntil(() => isRunning(1), { timeout: 15_000, interval: 20 });
  expect(await getHealth(server, other)).toMatchObject({ status: 'degraded', workers: { wanted: 2 } });
  expect(linesOf(server, 'a worker has ended')).toEqual([]);

  await waitForLine(server, 'worker listens', 3);
  expect(performance.now() - stopped).toBeGreaterThan(1_000);
  const killed = { worker, worker_pid: pid, silence_ms: 1_000, level: 50 };
  expect(linesOf(server, 'a worker does not answer')).toMatchObject([killed]);
  const end = { worker, ended_pid: pid, how: 'SIGKILL', pause_ms: 0 };
  expect(linesOf(server, 'a worker has ended')).toMatchObject([end]);
  await vi.waitUntil(() => isRunning(2), { timeout: 15_000, interval: 20 });
  expect(await readMetric(server.url, 'worker_restarts_total')).toBe(1);
  for (const agent of agents) agent.destroy();
});

test('a server whose processes were all suspended keeps its workers', async () => {
  await using server = await startServerProcess(two);
  const workers = linesOf(server, 'worker listens').map(({ pid }) => pid);
  const pids = [server.child.pid as number, ...workers];
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  const stopped = performance.now();
  await vi.waitUntil(() => performance.now() - stopped > 1_500, { timeout: 15_000 });
  for (const pid of pids) process.kill(pid, 'SIGCONT');
  const agent = createAgent();
  const went = performance.now();
  await vi.waitUntil(() => performance.now() - went > 1_500, { timeout: 15_000 });
  expect(await getHealth(server, agent)).toMatchObject({ workers: { running: 2, wanted: 2 } });
  expect(linesOf(server, 'a worker has ended')).toEqual([]);
  agent.destroy();
});
