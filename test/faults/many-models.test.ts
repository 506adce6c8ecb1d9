import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, expect } from 'vitest';
import { Registry } from '../../src/models/registry/registry.js';
import { inParallel } from '../helpers/ask.js';
import { answerBody, loaderOf } from '../helpers/one-version.js';
import { initializer, int, model, node, tensorValue } from '../helpers/onnx.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { countThreads, memoryMb } from '../helpers/processes.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { startServerProcess } from '../helpers/server-process.js';
import { faultWithoutServer } from './instruments/fault.js';
import { isFullSize, sizeNote } from './instruments/full-size.js';
import { p99 } from './instruments/percentile.js';
import { features } from './instruments/plain-registry.js';
import { ask, soundBody, soundParts } from './instruments/registry-under-fault.js';

const folder = createRegistryFolder();
afterAll(() => folder[Symbol.dispose]());
const single = createRegistryFolder();
afterAll(() => single[Symbol.dispose]());
const count = 200;
const add = (to: typeof folder, k: number) =>
  to.addVersion(`m${k}`, '1', {
    manifest: { task: 'regression', features },
    model: linearRegression([k + 1], 1),
  });
for (let k = 0; k < count; k += 1) add(folder, k);
add(single, 0);

faultWithoutServer(
  'R12',
  'a server with 200 models answers with each of them',
  async () => {
    const measure = async (path: string, models: number) => {
      const started = performance.now();
      await using server = await startServerProcess({ MODELS_DIR: path });
      const seconds = (performance.now() - started) / 1_000;
      const names = Array.from({ length: models }, (_, k) => k);
      const answers = await inParallel(names, 8, (k) => ask(server, `/models/m${k}/predict`, { x: 2 }));
      answers.forEach(({ status, body }, k) => {
        expect([status, body.prediction], `m${k}`).toEqual([200, 2 * (k + 1) + 1]);
      });
      return { seconds, mb: memoryMb(server.child.pid, 'VmRSS'), threads: countThreads(server.child.pid) };
    };
    const one = await measure(single.path, 1);
    const all = await measure(folder.path, count);
    const each = (all.mb - one.mb) / (count - 1);
    expect(all.threads - one.threads, 'additional threads').toBeLessThan(count / 10);
    expect(each, 'MB a model').toBeLessThan(2);
    return `${count} models answer ${all.seconds.toFixed(1)} s after the start; threads ${one.threads} → ${all.threads}, ${each.toFixed(2)} MB a model`;
  },
  180_000,
);

/** Looks X up in a table with this many bytes. */
function largeTable(bytes: number): Uint8Array {
  return model({
    inputs: [tensorValue('X', 'float32', ['N', 1])],
    outputs: [tensorValue('value', 'float32', ['N', 1])],
    initializers: [initializer('table', 'float32', [bytes / 4], new Uint8Array(bytes))],
    nodes: [
      node('Cast', ['X'], ['place'], { to: int(7) }),
      node('Gather', ['table', 'place'], ['value'], { axis: int(0) }),
    ],
  });
}

faultWithoutServer(
  'R12',
  'a small model answers while a large model loads',
  async () => {
    const mb = isFullSize ? 500 : 200;
    using registryFolder = createRegistryFolder();
    const small = registryFolder.addVersion('sound', '1', soundParts);
    const large = registryFolder.addVersion('large', '1', {
      manifest: { task: 'regression', features },
      model: largeTable(mb * 1_000_000),
    });
    const listing = (paths: Record<string, string>) => ({
      models: Object.entries(paths).map(([name, path]) => ({
        name,
        versions: [{ name: '1', path }],
        aliases: { aliases: new Map() },
        isReadable: true,
      })),
      aliases: { aliases: new Map() },
      skipped: [],
    });
    const loader = loaderOf({ loadTimeoutMs: 120_000 });
    const registry = new Registry({ load: loader.load });
    try {
      await registry.apply(listing({ sound: small }));
      await pause(500);
      const before = await askWhile(registry, () => pause(1_500));
      const started = performance.now();
      const during = await askWhile(registry, () => registry.apply(listing({ sound: small, large })));
      const seconds = (performance.now() - started) / 1_000;
      const version = registry.find('large').versions.get('1');
      expect(version?.state, JSON.stringify(version)).toBe('ready');
      const kind = version?.state === 'ready' ? version.loaded.executorKind : 'none';
      const loaded = registry.lease('large');
      const { fieldsJson: members } = await answerBody(loaded, { x: 5 });
      loaded.release();
      expect(members).toContain('"prediction":0');
      expect(during.asked).toBeGreaterThan(50);
      const figure = `${mb} MB in ${seconds.toFixed(1)} s (${kind}): another model's p99 ${before.p99.toFixed(2)} → ${during.p99.toFixed(2)} ms, longest loop delay ${before.delayMs.toFixed(0)} → ${during.delayMs.toFixed(0)} ms${sizeNote}`;
      expect(during.delayMs, figure).toBeLessThan(500);
      expect(during.p99, figure).toBeLessThan(before.p99 + 50);
      return figure;
    } finally {
      registry.close();
      loader.close();
    }
  },
  300_000,
);

async function askWhile(registry: Registry, run: () => Promise<unknown>) {
  const times: number[] = [];
  let isOver = false;
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const asking = (async () => {
    while (!isOver) {
      const started = performance.now();
      const loaded = registry.lease('sound');
      await answerBody(loaded, soundBody);
      loaded.release();
      await pause(2);
      // The pause is included: a blocked event loop makes it longer.
      times.push(performance.now() - started - 2);
    }
  })();
  await run();
  isOver = true;
  await asking;
  delay.disable();
  return { p99: p99(times), asked: times.length, delayMs: delay.max / 1e6 };
}
