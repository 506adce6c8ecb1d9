import { Agent, request } from 'node:http';
import { slow } from '../test/helpers/onnx-models.js';
import { childrenOf } from '../test/helpers/processes.js';
import { createRegistryFolder } from '../test/helpers/registry-folder.js';
import { type ServerProcess, startServerProcess } from '../test/helpers/server-process.js';
import { below, median, percentile, sleep, type Table } from './table.js';

const tries = 20;
const maxMs = 30_000;
/** The model loops as often as the row says: once, or practically for ever. */
const short = JSON.stringify({ rounds: 1 });
const endless = JSON.stringify({ rounds: 1e9 });

/** The time to the next answer after the process of an isolated model was killed: from outside, or after a time-out. */
export async function benchRecovery(table: Table): Promise<void> {
  using folder = createRegistryFolder();
  const features = [{ name: 'rounds', type: 'number' as const, minimum: 0, maximum: 1e9 }];
  const manifest = { task: 'regression' as const, features, runtime: { timeoutMs: 200 } };
  folder.addVersion('slow', '1', { manifest, model: slow() });
  report('SIGKILL of the child process', await overTries(folder.path, killed), below(150));
  report('504 of an endless run, with a spare process', await overTries(folder.path, late), below(20));

  function report(after: string, tookMs: readonly number[], aim: ReturnType<typeof below>): void {
    table.add(`time from ${after} to the next answer, p50`, median(tookMs), 'ms');
    table.add(`time from ${after} to the next answer, p99`, percentile(tookMs, 0.99), 'ms', aim);
  }
}

async function overTries(
  path: string,
  one: (server: ServerProcess, agent: Agent) => Promise<number>,
): Promise<number[]> {
  // The rows are equal, and each must run.
  await using server = await startServerProcess({ MODELS_DIR: path, CACHE: 'off' });
  const agent = new Agent({ keepAlive: true });
  await untilAnswered(server, agent);
  // The first kill is not counted: only after it does the server keep a spare process.
  await one(server, agent);
  const took: number[] = [];
  for (let k = 0; k < tries; k += 1) {
    await sleep(1_000);
    took.push(await one(server, agent));
  }
  agent.destroy();
  return took;
}

async function killed(server: ServerProcess, agent: Agent): Promise<number> {
  for (const pid of childrenOf(server.child.pid as number, 'slow/1')) process.kill(pid, 'SIGKILL');
  return untilAnswered(server, agent);
}

async function late(server: ServerProcess, agent: Agent): Promise<number> {
  const status = await ask(server, agent, endless);
  if (status !== 504) throw new Error(`an endless run was answered with ${status}`);
  return untilAnswered(server, agent);
}

/** Repeats the request until it is answered. Resolves with the milliseconds that this took. */
async function untilAnswered(server: ServerProcess, agent: Agent): Promise<number> {
  const started = performance.now();
  while ((await ask(server, agent, short)) !== 200) {
    if (performance.now() - started > maxMs) throw new Error('no answer came any more');
    await sleep(1);
  }
  return performance.now() - started;
}

function ask({ port }: ServerProcess, agent: Agent, body: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const sent = request({ agent, port, method: 'POST', path: '/predict', headers }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
