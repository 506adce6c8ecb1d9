import { createRegistryFolder } from '../test/helpers/registry-folder.js';
import { startServerProcess } from '../test/helpers/server-process.js';
import type { EngineLoop, EngineLoopResult } from './engine-loop.js';
import { addCreditRisk, loan, timed, timedModel } from './models.js';
import { openLoadFault, putOpenLoad, type Target } from './open-load.js';
import { askProcess, putLoad } from './server-process.js';
import { atMost, median, percentile, sleep, type Table } from './table.js';

const kinds = ['none', 'process', 'isolated', 'inline'] as const;
type Kind = (typeof kinds)[number];

/**
 * Measures how much a busy model with runs of 20 ms slows down the health probe and an inline model in the same server.
 * For comparison, the same runs in an unrelated process show the effect of the machine alone.
 */
export async function benchNeighbours(table: Table): Promise<void> {
  const fault = openLoadFault();
  if (fault !== undefined) {
    table.skip('p99 beside a busy isolated model', fault);
    return;
  }
  using folder = createRegistryFolder();
  addCreditRisk(folder);
  const model = timedModel(20);
  let modelPath = '';
  for (const executor of ['isolated', 'inline'] as const) {
    const runtime = { executor, maxBatchRows: 1, timeoutMs: 60_000 };
    const version = folder.addVersion(executor, '1', { manifest: { ...timed.manifest, runtime }, model });
    modelPath = `${version}/model.onnx`;
  }
  // The rows are equal, and each must run.
  await using server = await startServerProcess({
    MODELS_DIR: folder.path,
    DEFAULT_MODEL: 'credit-risk',
    CACHE: 'off',
  });
  const { port, url } = server;
  const targets: readonly (Target & { readonly name: string })[] = [
    { name: '/health/live', url: `${url}/health/live` },
    { name: 'inline model', url: `${url}/models/credit-risk/predict`, body: loan },
  ];
  const seconds = 2 * table.seconds;
  const keepBusy = (kind: Kind, forSeconds: number): Promise<unknown> | undefined => {
    if (kind === 'none') return undefined;
    if (kind === 'process') {
      const { name, values } = timed.input;
      const question = { path: modelPath, input: name, values: [...values], rows: 1, seconds: forSeconds };
      return askProcess<EngineLoopResult>('./engine-loop.ts', question satisfies EngineLoop);
    }
    const busyPath = `/models/${kind}/predict`;
    return putLoad({ port, path: busyPath, body: timed.body, connections: 2, seconds: forSeconds });
  };

  const path = '/models/credit-risk/predict';
  // The capacity at one connection, where no rows share a run. At 64 connections they do, and an open loop at half of
  // that rate would make a queue that only grows.
  const load = () => putLoad({ port, path, body: loan, connections: 1, seconds: table.seconds });
  await load();
  const busy = keepBusy('isolated', table.seconds + 2);
  const closed = await load();
  await busy;
  const perSecond = closed.perSecond / 2;

  const p99 = new Map<string, number[]>();
  for (let k = 0; k < table.rounds; k += 1) {
    for (const kind of kinds) {
      // The busy model starts before the load and ends after it.
      const beside = keepBusy(kind, seconds + 2);
      await sleep(1_000);
      const samples = await putOpenLoad(targets, { perSecond, seconds });
      await beside;
      for (const target of targets) {
        const tookMs = samples.filter((it) => it.url === target.url).map((it) => it.ms);
        const key = `${target.name} ${kind}`;
        p99.set(key, [...(p99.get(key) ?? []), percentile(tookMs, 0.99)]);
      }
    }
  }

  table.add('rate of the open loop: half of the capacity beside a busy isolated model', perSecond, '1/s');
  for (const { name } of targets) {
    const of = (kind: Kind) => p99.get(`${name} ${kind}`) ?? [];
    const times = (kind: Kind, than: Kind) =>
      median(of(kind).map((ms, k) => ms / (of(than)[k] ?? Number.NaN)));
    const row = (kind: string, than: string) =>
      `p99 of ${name}, beside ${kind} 20 ms runs relative to ${than}`;
    table.add(row('isolated', 'no runs'), times('isolated', 'none'), '×', atMost(1.5));
    table.add(row("another process's", 'no runs'), times('process', 'none'), '×');
    table.add(row('isolated', "another process's"), times('isolated', 'process'), '×', atMost(1.5));
    table.add(row('inline', 'no runs'), times('inline', 'none'), '×');
    for (const kind of kinds) table.add(`p99 of ${name}, 20 ms runs: ${kind}`, median(of(kind)), 'ms');
  }
}
