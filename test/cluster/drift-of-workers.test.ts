import { afterAll, expect, test } from 'vitest';
import { ask, inParallel } from '../helpers/ask.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { startServerProcess, waitForLine } from '../helpers/server-process.js';

const width = 256;
const rows = 4_000;
const names = Array.from({ length: width }, (_unused, k) => `f${k}`);
const sample = Array.from({ length: 1_000 }, (_unused, k) => k % 100);
const folder = createRegistryFolder();
folder.addVersion('wide', '1', {
  manifest: {
    task: 'regression',
    features: names.map((name) => ({ name, type: 'number' as const, default: 50 })),
  },
  model: linearRegression(names.map(() => 0)),
  reference: {
    rows: 1_000,
    features: Object.fromEntries(names.map((name) => [name, { missing: 0, sample }])),
  },
});
afterAll(() => folder[Symbol.dispose]());

test('drift of a wide model counts the rows of all workers, and says if one does not answer', async () => {
  await using server = await startServerProcess({ WORKERS: '2', MODELS_DIR: folder.path });
  // biome-ignore lint/suspicious/noExplicitAny: tests read whatever came back
  const drift = async (): Promise<any> => (await fetch(`${server.url}/models/wide/drift`)).json();
  expect(await drift()).toMatchObject({ status: 'collecting', reason: 'No rows have come yet.' });
  await inParallel(Array.from({ length: rows }), 32, async (_unused, k) => {
    const { status } = await ask(server.url, 'wide', { f0: k % 100 });
    expect(status).toBe(200);
  });
  const all = await drift();
  expect(all).toMatchObject({
    status: 'ok',
    drift: true,
    window: { rows, seen_rows: rows },
    features: { f0: { drift: false }, f1: { drift: true }, f255: { drift: true } },
  });
  expect(all).not.toHaveProperty('missing_workers');
  expect(all).not.toHaveProperty('reason');

  const started = server.stdout.filter((line) => line.includes('worker listens'));
  const pids = started.map((line) => JSON.parse(line).pid as number);
  // The one that answers may be either: its client comes to the one that runs.
  process.kill(pids[0] as number, 'SIGSTOP');
  const part = await Promise.any(Array.from({ length: 4 }, drift));
  expect(part).toMatchObject({
    status: 'ok',
    missing_workers: 1,
    reason: 'Workers that did not answer in time: 1. Their rows are not in it.',
  });
  expect(part.window.rows).toBeGreaterThan(0);
  expect(part.window.rows).toBeLessThan(rows);
  await waitForLine(server, 'drift is measured without the rows of workers that do not answer');
  process.kill(pids[0] as number, 'SIGCONT');
});
