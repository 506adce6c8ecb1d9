import { Agent, request } from 'node:http';
import { cpuSecondsOf } from '../../bench/proc.js';
import { sineLayers } from '../../test/helpers/onnx-models.js';
import { createRegistryFolder } from '../../test/helpers/registry-folder.js';
import { startServerProcess } from '../../test/helpers/server-process.js';
import type { PodFigures } from './cluster.js';

/** For a version with runs of about 5 ms in a child process, where nearly all versions of that speed run. */
const layers = 500;
const body = '{"x":1}';
const seconds = 4;

/**
 * Measures the CPU time of answers and refusals, including child processes. A closed loop gives the cost of an answer.
 * Ten times its rate gives the cost of a refusal, after the cost of the answers in it is subtracted.
 */
export async function measurePod(): Promise<PodFigures> {
  using registry = createRegistryFolder();
  registry.addVersion('slow', '1', {
    manifest: {
      task: 'regression',
      features: [{ name: 'x', type: 'number' }],
      runtime: { executor: 'isolated', maxBatchRows: 1 },
    },
    model: sineLayers(layers, 1),
  });
  const started = performance.now();
  await using server = await startServerProcess({ MODELS_DIR: registry.path });
  const readyS = (performance.now() - started) / 1_000;
  const agent = new Agent({ keepAlive: true });
  const { port } = server;
  const pid = server.child.pid as number;
  const counts: Record<string, number> = {};
  const ask = () =>
    new Promise<void>((resolve) => {
      const headers = { 'content-type': 'application/json', 'content-length': body.length };
      const sent = request(
        { port, host: '127.0.0.1', path: '/models/slow/predict', method: 'POST', agent, headers },
        (response) => {
          const status = String(response.statusCode);
          counts[status] = (counts[status] ?? 0) + 1;
          response.resume().on('end', resolve);
        },
      );
      sent.on('error', () => resolve());
      sent.end(body);
    });
  const measure = async (load: () => Promise<void>) => {
    for (const status of Object.keys(counts)) delete counts[status];
    const before = cpuSecondsOf(pid);
    await load();
    const { 200: answered = 0, ...others } = counts;
    const refused = Object.values(others).reduce((sum, count) => sum + count, 0);
    return { answered, refused, cpuMs: (cpuSecondsOf(pid) - before) * 1_000 };
  };

  const closed = await measure(async () => {
    const until = performance.now() + seconds * 1_000;
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        while (performance.now() < until) await ask();
      }),
    );
  });
  const answerMs = closed.cpuMs / closed.answered;
  const open = await measure(async () => {
    const perTick = Math.round((10 * closed.answered) / seconds / 100);
    const asked: Promise<void>[] = [];
    for (let tick = 0; tick < 100 * seconds; tick += 1) {
      for (let k = 0; k < perTick; k += 1) asked.push(ask());
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await Promise.all(asked);
  });
  agent.destroy();
  const refusalMs = Math.max(0, open.cpuMs - open.answered * answerMs) / open.refused;
  console.log(
    `ready after ${readyS.toFixed(1)} s; ${(closed.answered / seconds).toFixed(0)} answers a second; at ten times that rate ${open.answered} of ${open.answered + open.refused} requests answered`,
  );
  return { answerMs: Number(answerMs.toPrecision(2)), refusalMs: Number(refusalMs.toPrecision(2)) };
}
