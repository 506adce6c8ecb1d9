import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { askTimed } from '../helpers/ask.js';
import { createRandom } from '../helpers/onnx/random.js';
import { allocating } from '../helpers/onnx-models.js';
import { childOf } from '../helpers/processes.js';
import type { ServerProcess } from '../helpers/server-process.js';
import { fault } from './instruments/fault.js';
import { isFullSize, sizeNote } from './instruments/full-size.js';
import { p99 } from './instruments/percentile.js';
import { createPlainRegistry, features, plainGolden } from './instruments/plain-registry.js';

const isolated = { executor: 'isolated', maxBatchRows: 1 } as const;
const folder = createPlainRegistry();
folder.addVersion('hungry', '1', {
  manifest: { task: 'regression', features, runtime: { ...isolated, timeoutMs: 10_000 } },
  model: allocating(),
});
// `target` loads last, so that no sandbox of another version is left.
const targets = createPlainRegistry({ target: { ...isolated, timeoutMs: 1_000 } });
const options = {
  environment: { MODELS_DIR: folder.path, MAX_MODEL_MEMORY_MB: '300' },
  golden: plainGolden,
  timeoutMs: 60_000,
};
const underHits = {
  environment: { MODELS_DIR: targets.path, DEFAULT_MODEL: 'target' },
  golden: plainGolden,
  timeoutMs: 900_000,
};

fault(
  'E03',
  'a run that allocates gigabytes ends its child alone',
  async ({ server, expectBlocked }) => {
    // Freeing that much memory at once blocks every process of the machine for a moment.
    expectBlocked();
    const tries = 5;
    const codes: Record<string, number> = {};
    const took: number[] = [];
    for (let k = 0; k < tries; k += 1) {
      // A new row each time: a row that has ended two children is not run again.
      const run = await ask(server, 'hungry', 2 ** 29 + 64 * k);
      codes[run.code] = (codes[run.code] ?? 0) + 1;
      took.push(run.ms);
      expect((await ask(server, 'hungry', 1)).code, 'the next request').toBe('ok');
      expect((await ask(server, 'plain', 1)).code).toBe('ok');
    }
    expect(codes['executor_lost'], JSON.stringify(codes)).toBe(tries);
    const named = server.stdout.filter((line) => /"how":"[^"]*MAX_MODEL_MEMORY_MB/.test(line));
    const [ended, blamed] = [
      'the process of an isolated version has ended',
      'a request has ended the process',
    ].map((message) => named.filter((line) => line.includes(message)).length);
    expect([ended, blamed]).toEqual([tries, tries]);
    return `executor_lost ${tries} of ${tries} runs of 2 GB (limit 300 MB) after ${Math.max(...took).toFixed(0)} ms at most, the log names MAX_MODEL_MEMORY_MB ${ended} times for the child and ${blamed} times for the request, server deaths 0`;
  },
  options,
);

fault(
  'E03',
  'a child that gets random signals fails its own requests alone',
  async ({ server, expectBlocked }) => {
    // Starting children take processor time from the server.
    expectBlocked();
    const seconds = isFullSize ? 600 : 10;
    const random = createRandom(3);
    const counts: Record<string, number> = {};
    const others: Record<string, number> = {};
    let isOver = false;
    const client = async (model: string, into: Record<string, number>, x: number) => {
      while (!isOver) {
        const { code } = await ask(server, model, x);
        into[code] = (into[code] ?? 0) + 1;
        await pause(5);
      }
    };
    const asking = [
      ...Array.from({ length: 4 }, () => client('target', counts, 100)),
      client('plain', others, 1),
    ];
    const hits = { SIGSEGV: 0, SIGKILL: 0, SIGSTOP: 0 };
    const respawns: number[] = [];
    const until = performance.now() + seconds * 1_000;
    while (performance.now() < until) {
      await pause(300 + random() * 700);
      const signal = (['SIGSEGV', 'SIGKILL', 'SIGSTOP'] as const)[Math.floor(random() * 3)] ?? 'SIGKILL';
      const child = childOf(server.child.pid as number, 'target/1');
      if (child === undefined) continue;
      hits[signal] += 1;
      const started = performance.now();
      process.kill(child, signal);
      // Until then a request may still fail because of the ended child.
      while ((await ask(server, 'target', 1)).code !== 'ok')
        expect(performance.now() - started).toBeLessThan(10_000);
      if (signal !== 'SIGSTOP') respawns.push(performance.now() - started);
    }
    isOver = true;
    await Promise.all(asking);
    const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
    const { ok = 0, executor_lost = 0, deadline_exceeded = 0, overloaded = 0 } = counts;
    const inflicted = hits.SIGSEGV + hits.SIGKILL + hits.SIGSTOP;
    const figure = `${hits.SIGSEGV} SIGSEGV, ${hits.SIGKILL} SIGKILL, ${hits.SIGSTOP} SIGSTOP in ${seconds} s: failed ${total - ok} of ${total} (one a signal: ${inflicted}): executor_lost ${executor_lost}, deadline_exceeded ${deadline_exceeded}, overloaded ${overloaded}; others failed ${JSON.stringify({ ...others, ok: 0 })}`;
    expect(inflicted, figure).toBeGreaterThan(4);
    expect(ok + executor_lost + deadline_exceeded + overloaded, figure).toBe(total);
    // A stopped child fails all waiting requests; a child that ends fails only the request that it ran.
    expect(executor_lost, figure).toBeLessThanOrEqual(2 * (hits.SIGSEGV + hits.SIGKILL));
    expect(Object.keys(others), figure).toEqual(['ok']);
    return `${figure.replace('{"ok":0}', '0')}; server deaths 0, respawn p99 ${p99(respawns).toFixed(0)} ms${sizeNote}`;
  },
  underHits,
);

fault(
  'E03',
  'a crash loop backs off, shows in readiness, and recovers',
  async ({ server, expectBlocked }) => {
    expectBlocked();
    expect(await readiness(server)).toEqual({ status: 200, reasons: [] });
    const seconds = 5;
    const until = performance.now() + seconds * 1_000;
    const killed = new Set<number>();
    let reasons: readonly string[] = [];
    while (performance.now() < until) {
      const child = childOf(server.child.pid as number, 'target/1');
      if (child !== undefined && !killed.has(child)) {
        killed.add(child);
        process.kill(child, 'SIGKILL');
      }
      const ready = await readiness(server);
      if (ready.status === 503) reasons = ready.reasons;
      await pause(5);
    }
    expect(reasons.join(), 'reasons of /health/ready').toMatch(/target: .*ended \d+ times in a row/);
    // A child is killed as soon as it is seen: without back-off there would be dozens.
    expect(killed.size).toBeGreaterThan(2);
    expect(killed.size).toBeLessThan(15);
    const started = performance.now();
    while ((await readiness(server)).status !== 200) {
      expect(performance.now() - started).toBeLessThan(15_000);
      await pause(20);
    }
    while ((await ask(server, 'target', 1)).code !== 'ok') {
      expect(performance.now() - started).toBeLessThan(20_000);
      await pause(20);
    }
    return `${killed.size} children killed in ${seconds} s, ready 503 ("${reasons[0]}"), recovered in ${((performance.now() - started) / 1_000).toFixed(1)} s`;
  },
  underHits,
);

async function readiness({ url }: ServerProcess) {
  const response = await fetch(`${url}/health/ready`);
  const { reasons = [] } = (await response.json()) as { reasons?: string[] };
  return { status: response.status, reasons };
}

const ask = ({ url }: ServerProcess, model: string, x: number) => askTimed(url, model, x);
