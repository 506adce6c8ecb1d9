import { createRegistryFolder } from '../test/helpers/registry-folder.js';
import type { EngineLoop, EngineLoopResult } from './engine-loop.js';
import { addCreditRisk, loan } from './models.js';
import { askProcess, putLoad, startBenchServer } from './server-process.js';
import { atLeast, median, type Table } from './table.js';

const model = 'models/credit-risk/20261115_143000/model.onnx';
const row = JSON.parse(loan) as Readonly<Record<string, number>>;
const rowsOf = (count: number, from: number) =>
  Array.from({ length: count }, (_unused, k) => ({
    ...row,
    income: (row['income'] as number) + (from + k) / 1_000,
  }));

/** `of` is the number of rows in a request. */
const ways = [
  { name: '1 row', path: '/predict', of: 1, connections: 64 },
  { name: '100 rows', path: '/predict/batch', of: 100, connections: 16 },
  { name: '10,000 rows', path: '/predict/batch', of: 10_000, connections: 2 },
] as const;
/** No two rows are equal. A phase of one second sends up to three times as many rows: batches have no cache. */
const distinct = 50_000;

/** Many rows in one request against single rows, and against the engine alone in its best batch, by rows per second. */
export async function benchBatch(table: Table): Promise<void> {
  using folder = createRegistryFolder();
  addCreditRisk(folder);
  const server = await startBenchServer('./our-server.ts', [], { MODELS_DIR: folder.path, CACHE: 'off' });
  const rates = new Map<string, number[]>(ways.map(({ name }) => [name, []]));
  const engine: number[] = [];
  for (let round = 0; round <= table.rounds; round += 1) {
    for (const { name, path, of, connections } of ways) {
      const bodies = Array.from({ length: distinct / of }, (_unused, k) => {
        const rows = rowsOf(of, k * of);
        return JSON.stringify(of === 1 ? rows[0] : { instances: rows });
      });
      const load = await putLoad({
        port: server.port,
        path,
        body: '',
        bodies,
        headers: [{ prefer: 'wait=30' }],
        connections,
        seconds: table.seconds,
      });
      if (round > 0) rates.get(name)?.push(load.perSecond * of);
    }
    const loop: EngineLoop = {
      path: model,
      input: 'X',
      values: Object.values(row),
      matrix: rowsOf(distinct, 0).map((it) => Object.values(it)),
      rows: 256,
      seconds: table.seconds,
    };
    const best = await askProcess<EngineLoopResult>('./engine-loop.ts', loop);
    if (round > 0) engine.push(best.rowsPerSecond);
  }
  server.stop();
  table.add('rows per second, the engine alone in runs of 256 rows', median(engine), '1/s');
  const single = rates.get('1 row') ?? [];
  for (const { name, of } of ways) {
    const many = rates.get(name) ?? [];
    table.add(`rows per second, ${name} per request`, median(many), '1/s');
    if (of === 1) continue;
    const toSingle = median(many.map((rate, k) => rate / (single[k] ?? Number.NaN)));
    table.add(
      `rows per second, ${name} per request relative to 1 row`,
      toSingle,
      '×',
      of === 100 ? atLeast(10) : undefined,
    );
    const toEngine = median(many.map((rate, k) => rate / (engine[k] ?? Number.NaN)));
    table.add(
      `rows per second, ${name} per request relative to the engine alone`,
      toEngine,
      '×',
      of === 100 ? undefined : atLeast(0.5),
    );
  }
}
