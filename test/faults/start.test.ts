import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from 'vitest';
import { ask } from '../helpers/ask.js';
import { initializer, int, model, node, tensorValue } from '../helpers/onnx.js';
import { randomForest } from '../helpers/onnx-models.js';
import { childrenOf, isAlive } from '../helpers/processes.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { runServerToItsEnd, type ServerProcess, startServerProcess } from '../helpers/server-process.js';
import { faultWithoutServer } from './instruments/fault.js';
import { isFullSize, sizeNote } from './instruments/full-size.js';
import { type Control, startControl, startProbe } from './instruments/health-probe.js';
import { maxHealthMs, summarizeProbes } from './instruments/machine-delay.js';

/** Forests that each take a third of a second or more in the sandbox, and a table that takes as long to open. */
const forests = isFullSize ? 100 : 10;
const tableMb = 200;
const features = Array.from({ length: 10 }, (_, k) => ({ name: `f${k}`, type: 'number' as const }));
const row = Object.fromEntries(features.map(({ name }) => [name, 0.5]));

const folder = createRegistryFolder();
afterAll(() => folder[Symbol.dispose]());
for (let k = 0; k < forests; k += 1) {
  const manifest = { task: 'classification' as const, features };
  folder.addVersion(`forest${k}`, '1', { manifest, model: randomForest(100, 8, 10, k + 1) });
}
folder.addVersion('table', '1', {
  manifest: {
    task: 'regression',
    features: [{ name: 'x', type: 'number', example: 0 }],
    runtime: { executor: 'inline' },
  },
  model: model({
    inputs: [tensorValue('X', 'float32', ['N', 1])],
    outputs: [tensorValue('value', 'float32', ['N', 1])],
    initializers: [initializer('table', 'float32', [tableMb * 250_000], new Uint8Array(tableMb * 1_000_000))],
    nodes: [
      node('Cast', ['X'], ['place'], { to: int(7) }),
      node('Gather', ['table', 'place'], ['value'], { axis: int(0) }),
    ],
  }),
});

let control: Control | undefined;
beforeAll(async () => {
  control = await startControl();
});
afterAll(() => control?.[Symbol.dispose]());

/** Starts a server, and resolves as soon as it listens. */
const startLoading = (environment: Record<string, string>) =>
  startServerProcess(
    { MODELS_DIR: folder.path, ...environment },
    { listening: /"msg":"listening at http:[^"]*:(\d+)/ },
  );

/** Probes and requests predictions from when the server listens until it is ready. */
async function watchStart(server: ServerProcess) {
  await using probe = startProbe(server, control as Control);
  const started = performance.now();
  const seen = { notReady: 0, refused: 0, reasons: new Set<string>(), codes: new Set<string>() };
  for (;;) {
    const predicted = await ask(server.url, 'forest0', row);
    const ready = await fetch(`${server.url}/health/ready`, { headers: { connection: 'close' } });
    if (ready.status === 200) break;
    const { status, reasons } = (await ready.json()) as { status: string; reasons: string[] };
    expect([ready.status, status, ready.headers.get('retry-after')]).toEqual([503, 'not_ready', '1']);
    for (const reason of reasons) seen.reasons.add(reason);
    seen.notReady += 1;
    if (predicted.status !== 200) {
      expect(predicted.status).toBe(503);
      expect(predicted.body.detail).toMatch(/^The server is starting\. forest0/);
      seen.codes.add(predicted.body.code);
      seen.refused += 1;
    }
    await pause(50);
  }
  const seconds = (performance.now() - started) / 1_000;
  return { seen, seconds, ...summarizeProbes(await probe.stop()) };
}

for (const workers of [1, 2]) {
  faultWithoutServer(
    'S09',
    `every probe is answered while the models load, with WORKERS=${workers}`,
    async () => {
      await using server = await startLoading({ WORKERS: String(workers) });
      const { seen, seconds, failed, answered, longestMs, note } = await watchStart(server);
      expect(seen.notReady).toBeGreaterThan(10);
      expect(seen.refused).toBeGreaterThan(10);
      expect([...seen.codes]).toEqual(['not_ready']);
      expect([...seen.reasons]).toContainEqual(expect.stringMatching(/table: version 1 is being loaded$/));
      expect((await ask(server.url, 'forest0', row)).status).toBe(200);
      const { versions } = (await (await fetch(`${server.url}/models/table`)).json()) as {
        versions: { executor: string; executor_reason: string }[];
      };
      expect(versions[0]).toMatchObject({
        executor: 'isolated',
        executor_reason: expect.stringMatching(
          /^opening it would hold the server's thread for \d+ ms, although the manifest says inline$/,
        ),
      });
      const figure = `${seconds.toFixed(1)} s of loading: failed probes ${failed} of ${answered}, the slowest took ${longestMs.toFixed(0)} ms; predictions refused ${seen.refused}, all with not_ready${note}${sizeNote}`;
      expect(failed, figure).toBe(0);
      expect(answered, figure).toBeGreaterThan(10 * seconds);
      expect(longestMs, figure).toBeLessThan(maxHealthMs);
      return figure;
    },
    300_000,
  );
}

faultWithoutServer(
  'S09',
  'SIGTERM while the models load ends the server in time',
  async () => {
    const ends: string[] = [];
    let longest = 0;
    for (const workers of ['1', '2']) {
      for (const pauseMs of [0, 300, 1_000]) {
        await using server = await startLoading({ WORKERS: workers });
        await pause(pauseMs);
        const pid = server.child.pid as number;
        const children = [pid, ...childrenOf(pid)].flatMap((it) => [it, ...childrenOf(it)]);
        const stopped = performance.now();
        server.child.kill('SIGTERM');
        const { code, signal } = await server.ended;
        longest = Math.max(longest, performance.now() - stopped);
        ends.push(String(code ?? signal));
        await expect.poll(() => children.filter(isAlive)).toEqual([]);
        expect(server.stderr).toEqual([]);
        expect(server.stdout.at(-1)).toContain('"msg":"stopped"');
        expect(server.stdout.filter((line) => /refused|not ready/.test(line))).toEqual([]);
      }
    }
    const figure = `exit codes ${ends.join(', ')}; the longest stop took ${(longest / 1_000).toFixed(2)} s`;
    expect(ends, figure).toEqual(ends.map(() => '0'));
    expect(longest, figure).toBeLessThan(2_000);
    return figure;
  },
  120_000,
);

faultWithoutServer('S09', 'a port that is taken is reported before any model loads', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  const times: string[] = [];
  for (const WORKERS of ['1', '2']) {
    const started = performance.now();
    const end = await runServerToItsEnd({ MODELS_DIR: folder.path, PORT: String(port), WORKERS });
    times.push(((performance.now() - started) / 1_000).toFixed(2));
    expect(end.code).toBe(1);
    expect(end.stderr).toEqual([expect.stringContaining(`PORT: 127.0.0.1:${port} is taken`)]);
    expect(end.stdout.filter((line) => line.includes('version'))).toEqual([]);
  }
  taken.close();
  return `reported after ${times.join(' and ')} s (WORKERS 1 and 2), 0 of ${forests + 1} versions loaded`;
});
