import { readFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { sineLayers } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { startServerProcess } from '../helpers/server-process.js';

const registry = createRegistryFolder();
afterAll(() => registry[Symbol.dispose]());

const { spec } = parse(readFileSync('k8s/components/keda/scaled-object.yaml', 'utf8'));
const [, metric = '', route = ''] =
  /^sum\(rate\((\w+)\{namespace="sardonyx",route=~"([^"]+)"\}\[1m\]\)\)$/.exec(
    spec.triggers[0].metadata.query,
  ) ?? [];

/** The sum of KEDA's query over one text of /metrics. Prometheus anchors a pattern at both ends. */
function sumOf(text: string): number {
  const lines = text.split('\n').filter((line) => line.startsWith(`${metric}{`));
  const counted = lines.filter((line) =>
    new RegExp(`^(?:${route})$`).test(/route="([^"]*)"/.exec(line)?.[1] ?? ''),
  );
  return counted.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

test.each([2, 6])('the query of KEDA gives %d requests in flight for as many clients', async (clients) => {
  registry.addVersion('slow', '1', {
    manifest: {
      task: 'regression',
      features: ['a', 'b', 'c', 'd'].map((name) => ({ name, type: 'number' as const })),
      // One row per run, in a child process: answers are slow, and the server itself is idle.
      runtime: { executor: 'isolated', maxBatchRows: 1, timeoutMs: 60_000 },
    },
    model: sineLayers(1_500, 4),
  });
  // With a cache, equal rows would share a run.
  await using server = await startServerProcess({ MODELS_DIR: registry.path, CACHE: 'off' });
  const readMetrics = async () => (await fetch(`${server.url}/metrics`)).text();
  let isOver = false;
  let answered = 0;
  const answeredUpTo = async (count: number) => {
    while (answered < count && !isOver) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  const asking = Array.from({ length: clients }, async () => {
    while (!isOver) {
      const response = await fetch(`${server.url}/models/slow/predict`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"a":1,"b":2,"c":3,"d":4}',
      });
      isOver ||= response.status !== 200;
      expect(response.status, await response.text()).toBe(200);
      answered += 1;
    }
  });
  // Probes and scrapes are not counted.
  const probing = (async () => {
    while (!isOver) {
      await fetch(`${server.url}/health/ready`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  await answeredUpTo(clients);
  const [before, started] = [sumOf(await readMetrics()), performance.now()];
  // Requests in flight at the start or the end are counted only in part: over 20 rounds an error of a few percent.
  await answeredUpTo(21 * clients);
  const [after, ended] = [sumOf(await readMetrics()), performance.now()];
  isOver = true;
  await Promise.all([...asking, probing]);
  const inFlight = (after - before) / ((ended - started) / 1_000);
  expect(inFlight / clients).toBeGreaterThan(0.7);
  expect(inFlight / clients).toBeLessThan(1.3);
});
