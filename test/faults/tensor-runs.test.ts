import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { ask, inParallel, type Reply, readMetric } from '../helpers/ask.js';
import { createRandom } from '../helpers/onnx/random.js';
import { echo, gatherByValue, network, slow } from '../helpers/onnx-models.js';
import { fault } from './instruments/fault.js';
import { createPlainRegistry, plainGolden } from './instruments/plain-registry.js';

const tensor = { task: 'tensor' as const };
const folder = createPlainRegistry();
folder.addVersion('network', '1', { manifest: tensor, model: network(2, 64) });
for (const type of ['float32', 'int64', 'string'] as const) {
  folder.addVersion(`echo-${type}`, '1', { manifest: tensor, model: echo(type, ['N', 'K']) });
}
folder.addVersion('places', '1', { manifest: tensor, model: gatherByValue() });
folder.addVersion('patient', '1', {
  manifest: { ...tensor, runtime: { executor: 'isolated', timeoutMs: 60_000 } },
  model: slow(),
});
const options = {
  environment: { MODELS_DIR: folder.path, DEFAULT_MODEL: 'plain', CACHE: 'memory' },
  golden: plainGolden,
};
/** Retries requests that a busy machine refuses, as clients do. */
async function insist(url: string, model: string, body: unknown): Promise<Reply> {
  for (let k = 1; ; k += 1) {
    const reply = await ask(url, model, body);
    if ((reply.status !== 503 && reply.status !== 504) || k === 20) return reply;
  }
}

const random = createRandom(6);
const whole = (limit: number) => Math.floor(random() * limit);

fault(
  'E06',
  'each tensor request gets its own rows, whatever requests share its run',
  async ({ server }) => {
    const makeValue = {
      float32: (k: number) => k + 0.5,
      int64: (k: number) => k,
      string: (k: number) => `text ${k}`,
    };
    const models = ['float32', 'int64', 'string'] as const;
    const count = 1_500;
    let next = 0;
    const requests = Array.from({ length: count }, (_unused, k) => {
      const type = models[k % models.length] as (typeof models)[number];
      const [rows, columns] = [1 + whole(5), 1 + whole(3)];
      const X = Array.from({ length: rows }, () =>
        Array.from({ length: columns }, () => makeValue[type](next++)),
      );
      return { model: `echo-${type}`, X };
    });
    const replies = await inParallel(requests, 200, ({ model, X }) =>
      insist(server.url, model, { inputs: { X } }),
    );
    const mixedUp = replies.filter(
      ({ body }, k) => JSON.stringify(body.outputs?.variable) !== JSON.stringify(requests[k]?.X),
    ).length;
    const wrong = replies.find(({ status }) => status !== 200);
    expect(wrong?.text).toBe(undefined);
    expect(mixedUp).toBe(0);
    const X = Array.from({ length: 300 }, () => [random(), random(), random(), random()]);
    const alone = await inParallel(X, 1, (row) => insist(server.url, 'network', { inputs: { X: [row] } }));
    const labels = 'model="network"';
    const runs = await readMetric(server.url, 'prediction_batch_rows_count', labels);
    // Another body, so that the cache does not have it, with the same answer.
    const together = await inParallel(X, 64, (row) =>
      insist(server.url, 'network', { inputs: { X: [row] }, outputs: ['variable'] }),
    );
    expect(await readMetric(server.url, 'prediction_batch_rows_count', labels)).toBeGreaterThanOrEqual(runs);
    const read = ({ body }: { body: { outputs: { variable: [[number]] } } }) => body.outputs.variable[0][0];
    const largest = Math.max(
      ...together.map((reply, k) => Math.abs(read(reply) - read(alone[k] as typeof reply))),
    );
    expect(largest).toBeLessThan(1e-5);
    const bulk = await insist(server.url, 'network', { inputs: { X } });
    const cut = Math.max(
      ...bulk.body.outputs.variable.map(([value]: [number], k: number) =>
        Math.abs(value - read(alone[k] as (typeof alone)[number])),
      ),
    );
    expect(cut).toBeLessThan(1e-5);
    return `mixed-up rows 0 of ${next} in ${count} requests; a network differs by ${largest.toExponential(0)} in shared runs, by ${cut.toExponential(0)} in one request of ${X.length} rows`;
  },
  options,
);

fault(
  'E07',
  'a tensor request that makes the engine throw fails alone, and those of the same run are answered',
  async ({ server }) => {
    const xs = Array.from({ length: 600 }, (_unused, k) => (random() < 0.1 ? 99 + k : whole(4)));
    const replies = await inParallel(xs, 64, (x) => ask(server.url, 'places', { inputs: { X: [[x]] } }));
    const failed = replies.filter(({ status, body }, k) => {
      const x = xs[k] as number;
      return x < 4 && (status !== 200 || body.outputs.value[0][0] !== 10 * (x + 1));
    }).length;
    const thrown = replies.filter(
      ({ status }, k) => (xs[k] as number) >= 99 && (status === 500 || status === 400),
    );
    expect(failed).toBe(0);
    expect(thrown).toHaveLength(xs.filter((x) => x >= 99).length);
    return `neighbours failed ${failed} of ${xs.length - thrown.length}, requests that throw ${thrown.length} of ${thrown.length}`;
  },
  options,
);

fault(
  'E08',
  'a tensor request whose deadline has passed never runs',
  async ({ server }) => {
    const asks = (x: number, headers: Record<string, string> = {}) =>
      fetch(`${server.url}/models/patient/predict`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ inputs: { X: [[x]] } }),
      });
    const labels = 'model="patient"';
    const before = await readMetric(server.url, 'prediction_run_seconds_count', labels);
    const busy = asks(10_000);
    await pause(50);
    const expired = await Promise.all(
      Array.from({ length: 20 }, (_unused, k) => asks(100 + k, { 'x-request-timeout-ms': '150' })),
    );
    // Requests that would be late are refused at once; the others expire in the queue.
    expect(expired.filter(({ status }) => status !== 504 && status !== 503)).toEqual([]);
    expect((await busy).status).toBe(200);
    const runs = (await readMetric(server.url, 'prediction_run_seconds_count', labels)) - before;
    expect(runs).toBe(1);
    expect((await asks(1)).status).toBe(200);
    return `runs after the deadline ${runs - 1} of ${expired.length}`;
  },
  options,
);
