import { network } from '../test/helpers/onnx-models.js';
import { createRegistryFolder } from '../test/helpers/registry-folder.js';
import { startServerProcess } from '../test/helpers/server-process.js';
import type { EngineLoop, EngineLoopResult } from './engine-loop.js';
import { askProcess, putLoad } from './server-process.js';
import { atLeast, median, type Table } from './table.js';

/** The network: layers of 2,048 × 2,048, and the columns of its input. */
const layers = 4;
const width = 2_048;
const features = 32;
const connections = 32;
/** Rows per run of the engine alone. A closed loop alternates between two halves of its connections. */
const sizes = [1, 8, 16, 32];

interface Round {
  readonly ours: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p99One: number;
  readonly p99Eight: number;
  readonly engine: readonly number[];
}

/** Compares one-row requests to a network (task `tensor`) with the engine alone at 1 to 32 rows per run. */
export async function benchNetwork(table: Table): Promise<void> {
  using folder = createRegistryFolder();
  const model = network(layers + 1, width, features);
  const path = `${folder.addVersion('network', '1', { manifest: { task: 'tensor' }, model })}/model.onnx`;
  await using server = await startServerProcess({ MODELS_DIR: folder.path, CACHE: 'memory' });
  const values = Array.from({ length: features }, (_unused, k) => Math.sin(k));
  // Each request differs in a number of seven digits, the precision of a float32: the cache, on as by default, misses.
  const unique = '0.0000000';
  const body = `{"inputs":{"X":[[${values.slice(1).join(',')},${unique}]]}}`;
  const load = (count: number) =>
    putLoad({
      port: server.port,
      path: '/predict',
      body,
      unique,
      connections: count,
      seconds: table.seconds,
    });
  const loop = (rows: number) => {
    const question: EngineLoop = { path, input: 'X', values, rows, seconds: table.seconds };
    return askProcess<EngineLoopResult>('./engine-loop.ts', question);
  };
  await load(connections);

  const rounds: Round[] = [];
  for (let k = 0; k < table.rounds; k += 1) {
    const ours = await load(connections);
    const engine = [];
    for (const rows of sizes) engine.push((await loop(rows)).rowsPerSecond);
    const { p99Ms: p99One } = await load(1);
    const { p99Ms: p99Eight } = await load(8);
    const { perSecond, medianMs, p99Ms } = ours;
    rounds.push({ ours: perSecond, p50Ms: medianMs, p99Ms, p99One, p99Eight, engine });
  }

  const of = (value: (round: Round) => number) => median(rounds.map(value));
  const name = `a network of ${layers} layers of ${width}`;
  table.add(
    `throughput, ours relative to the engine alone with 32 rows per run: ${name}, ${connections} connections`,
    of((it) => it.ours / (it.engine[3] ?? Number.NaN)),
    '×',
    atLeast(0.8),
  );
  table.add(
    `throughput, ours relative to the engine alone with 16 rows per run: ${name}, ${connections} connections`,
    of((it) => it.ours / (it.engine[2] ?? Number.NaN)),
    '×',
  );
  const add = (what: string, value: (round: Round) => number, unit: string) =>
    table.add(`${what}: ${name}`, of(value), unit);
  add(`throughput, ours, ${connections} connections`, (it) => it.ours, '1/s');
  for (const [k, rows] of sizes.entries()) {
    add(`throughput, the engine alone, ${rows} rows per run`, (it) => it.engine[k] ?? Number.NaN, '1/s');
  }
  add(`median latency, ${connections} connections`, (it) => it.p50Ms, 'ms');
  add(`p99 latency, ${connections} connections`, (it) => it.p99Ms, 'ms');
  add('p99 latency, 1 connection', (it) => it.p99One, 'ms');
  add('p99 latency, 8 connections', (it) => it.p99Eight, 'ms');
}
