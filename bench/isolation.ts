import { createRegistryFolder } from '../test/helpers/registry-folder.js';
import { startServerProcess } from '../test/helpers/server-process.js';
import type { EngineLoop, EngineLoopResult } from './engine-loop.js';
import { timed, timedModel } from './models.js';
import { askProcess, putLoad, startBenchServer } from './server-process.js';
import { atLeast, atMost, median, type Table } from './table.js';

interface Round {
  readonly ours: number;
  readonly batchRows: number;
  readonly byOne: number;
  readonly byBatch: number;
  /** With one connection: a request to the isolated model, one run of the engine, a request to a bare route. */
  readonly requestMs: number;
  readonly runMs: number;
  readonly bareMs: number;
  /** A request to a bare server with a bare child process that runs the model. */
  readonly hopMs: number;
}

/** Compares an isolated model of about 1 ms per row with the engine alone in a process of its own. */
export async function benchIsolation(table: Table): Promise<void> {
  using folder = createRegistryFolder();
  const model = timedModel(1);
  // A long time-out, so that no request is refused on a busy machine: this measures throughput.
  const manifest = { ...timed.manifest, runtime: { executor: 'isolated' as const, timeoutMs: 10_000 } };
  const path = `${folder.addVersion('isolated', '1', { manifest, model })}/model.onnx`;
  // The rows are equal, and each must run.
  await using server = await startServerProcess({ MODELS_DIR: folder.path, CACHE: 'off' });
  const route = '/predict';
  const bare = await startBenchServer('./bare-server.ts', [JSON.stringify({ [route]: { type: 'object' } })]);
  const { name: input, values } = timed.input;
  const hop = await startBenchServer('./bare-hop.ts', [path, input, JSON.stringify([...values])]);
  const { seconds } = table;
  const load = (port: number, connections: number) =>
    putLoad({ port, path: route, body: timed.body, connections, seconds });
  const loop = (rows: number) => {
    const question: EngineLoop = { path, input, values: [...values], rows, seconds };
    return askProcess<EngineLoopResult>('./engine-loop.ts', question);
  };
  await load(server.port, 64);

  const rounds: Round[] = [];
  for (let k = 0; k < table.rounds; k += 1) {
    const before = await countBatches(server.url);
    const { perSecond } = await load(server.port, 64);
    const after = await countBatches(server.url);
    const batchRows = (after.rows - before.rows) / (after.runs - before.runs);
    const one = await loop(1);
    const batch = await loop(Math.round(batchRows));
    const { medianMs: requestMs } = await load(server.port, 1);
    const { medianMs: bareMs } = await load(bare.port, 1);
    const { medianMs: hopMs } = await load(hop.port, 1);
    rounds.push({
      ours: perSecond,
      batchRows,
      byOne: one.rowsPerSecond,
      byBatch: batch.rowsPerSecond,
      requestMs,
      runMs: one.medianMs,
      bareMs,
      hopMs,
    });
  }
  bare.stop();
  hop.stop();

  const of = (value: (round: Round) => number) => median(rounds.map(value));
  const name = 'isolated, 1 ms a row';
  table.add(
    `throughput, ours relative to the engine alone with batches of the same size: ${name}`,
    of((it) => it.ours / it.byBatch),
    '×',
    atLeast(0.85),
  );
  table.add(
    `throughput, ours relative to the engine alone with single rows: ${name}`,
    of((it) => it.ours / it.byOne),
    '×',
    atLeast(0.85),
  );
  table.add(
    `throughput, ours, 64 connections: ${name}`,
    of((it) => it.ours),
    '1/s',
  );
  table.add(
    `throughput, the engine alone with batches of the same size: ${name}`,
    of((it) => it.byBatch),
    '1/s',
  );
  table.add(
    `throughput, the engine alone with single rows: ${name}`,
    of((it) => it.byOne),
    '1/s',
  );
  table.add(
    `rows per run, ours, 64 connections: ${name}`,
    of((it) => it.batchRows),
    '',
  );
  table.add(
    `latency minus the time of the run, 1 connection: ${name}`,
    of((it) => it.requestMs - it.runMs),
    'ms',
    atMost(0.3),
  );
  table.add(
    'latency minus the time of the run, 1 connection: a bare server with a bare child process',
    of((it) => it.hopMs - it.runMs),
    'ms',
  );
  table.add(
    `latency minus that of a bare server with a bare child process, 1 connection: ${name}`,
    of((it) => it.requestMs - it.hopMs),
    'ms',
  );
  table.add(
    'latency of a bare route, 1 connection',
    of((it) => it.bareMs),
    'ms',
  );
  table.add(
    `time of a run of the engine alone, 1 row: ${name}`,
    of((it) => it.runMs),
    'ms',
  );
}

async function countBatches(url: string): Promise<{ readonly rows: number; readonly runs: number }> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const read = (what: string) =>
    Number(new RegExp(`^prediction_batch_rows_${what}\\{[^}]*\\} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
  return { rows: read('sum'), runs: read('count') };
}
