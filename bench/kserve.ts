import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { findFreePort } from '../test/helpers/free-port.js';
import { installKserve } from '../test/helpers/kserve-python.js';
import { createRegistryFolder } from '../test/helpers/registry-folder.js';
import { addCreditRisk, loan } from './models.js';
import { cpuSecondsOf } from './proc.js';
import { type BenchServer, putLoad, startBenchServer } from './server-process.js';
import { atLeast, median, sleep, type Table } from './table.js';

const rowsOfRequest = 100;
const maxEntries = 50;
const row = JSON.parse(loan) as Readonly<Record<string, number>>;
/** More different rows than the cache holds, so that none is ever found in it. */
const rows = Array.from({ length: 20 * rowsOfRequest }, (_unused, k) => ({
  ...row,
  income: (row['income'] as number) + k / 1_000,
}));
const byName = Array.from({ length: 20 }, (_unused, k) =>
  rows.slice(k * rowsOfRequest, (k + 1) * rowsOfRequest),
);

/** Compares requests of 100 rows in KServe's protocol with requests of one row, by rows per second. */
export async function benchKserve(table: Table): Promise<void> {
  using folder = createRegistryFolder();
  addCreditRisk(folder);
  const path = '/v1/models/credit-risk:predict';
  const environment = { MODELS_DIR: folder.path, CACHE_MAX_ENTRIES: String(maxEntries) };
  for (const [name, cache] of [
    ['without a cache', 'off'],
    ['only cache misses', 'memory'],
  ] as const) {
    const server: BenchServer = await startBenchServer('./our-server.ts', [], {
      ...environment,
      CACHE: cache,
    });
    const ways = {
      single: { path: '/models/credit-risk/predict', bodies: rows.map((it) => JSON.stringify(it)), of: 1 },
      'by name': {
        path,
        bodies: byName.map((instances) => JSON.stringify({ instances })),
        of: rowsOfRequest,
      },
      'in order': {
        path,
        bodies: byName.map((some) => JSON.stringify({ instances: some.map((it) => Object.values(it)) })),
        of: rowsOfRequest,
      },
    };
    const rates = new Map<string, number[]>();
    for (let round = 0; round <= table.rounds; round += 1) {
      for (const [way, { of, ...asked }] of Object.entries(ways)) {
        // Few enough connections that 100 rows of each never fill the queue.
        const connections = of === 1 ? 64 : 16;
        const load = await putLoad({
          ...asked,
          port: server.port,
          body: '',
          connections,
          seconds: table.seconds,
        });
        if (round > 0) rates.set(way, [...(rates.get(way) ?? []), load.perSecond * of]);
      }
    }
    server.stop();
    const single = rates.get('single') ?? [];
    table.add(`rows per second, 1 row per request: ${name}`, median(single), '1/s');
    for (const way of ['by name', 'in order']) {
      const many = rates.get(way) ?? [];
      table.add(`rows per second, ${rowsOfRequest} rows per request ${way}: ${name}`, median(many), '1/s');
      const ratio = median(many.map((rate, k) => rate / (single[k] ?? Number.NaN)));
      const row = `rows per second, ${rowsOfRequest} rows per request ${way} relative to 1 row: ${name}`;
      table.add(row, ratio, '×', atLeast(10));
    }
  }
}

/** The models of KServe's own server. `atHundred`, `atOne`: how many times faster we aim to be, by rows per request. */
const kserveModels = [
  {
    kind: 'forest',
    name: "KServe's server of scikit-learn, a forest of 100 trees",
    atHundred: 10,
    atOne: 10,
  },
  {
    kind: 'graph',
    name: "KServe's server over onnxruntime, the same file",
    atHundred: undefined,
    atOne: undefined,
  },
] as const;

/** Sends the same requests to KServe's own server (from PyPI) and to ours, in turn. */
export async function benchKserveServer(table: Table): Promise<void> {
  const kserve = installKserve(['scikit-learn==1.9.1', 'onnxruntime==1.32.0']);
  if ('missing' in kserve) return table.skip("KServe's own server", kserve.missing);
  using folder = createRegistryFolder();
  addCreditRisk(folder);
  const ours = await startBenchServer('./our-server.ts', [], { MODELS_DIR: folder.path, CACHE: 'off' });
  const path = '/v1/models/credit-risk:predict';
  for (const { kind, name, atHundred, atOne } of kserveModels) {
    const port = await findFreePort();
    const file = 'models/credit-risk/20261115_143000/model.onnx';
    const child = spawn(kserve.python, ['bench/kserve_server.py', kind, String(port), file], {
      stdio: 'ignore',
    });
    await untilAnswered(`http://127.0.0.1:${port}/v1/models/credit-risk`);
    for (const [of, aim] of [
      [rowsOfRequest, atHundred],
      [1, atOne],
    ] as const) {
      const bodies = byName.map((some) =>
        JSON.stringify({ instances: some.slice(0, of).map((it) => Object.values(it)) }),
      );
      const rates = { theirs: [] as number[], ours: [] as number[] };
      const costs = { theirs: [] as number[], ours: [] as number[] };
      const sides = {
        theirs: { port, cpuUs: async () => 1e6 * cpuSecondsOf(child.pid as number) },
        ours,
      };
      for (let round = 0; round <= table.rounds; round += 1) {
        for (const whose of ['theirs', 'ours'] as const) {
          const side = sides[whose];
          const before = await side.cpuUs();
          const asked = { port: side.port, path, body: '', bodies, connections: 16, seconds: table.seconds };
          const { perSecond, answered } = await putLoad(asked);
          if (round === 0) continue;
          rates[whose].push(perSecond * of);
          costs[whose].push(((await side.cpuUs()) - before) / (answered * of));
        }
      }
      const size = `${of} row${of === 1 ? '' : 's'} per request`;
      const ratioOf = (above: readonly number[], below: readonly number[]) =>
        median(above.map((value, k) => value / (below[k] ?? Number.NaN)));
      table.add(`rows per second, ${size}: ${name}`, median(rates.theirs), '1/s');
      table.add(`rows per second, ${size}: ours, in turn with ${kind}`, median(rates.ours), '1/s');
      const aimed = aim === undefined ? undefined : atLeast(aim);
      table.add(
        `rows per second, ${size}: ours relative to ${name}`,
        ratioOf(rates.ours, rates.theirs),
        '×',
        aimed,
      );
      table.add(`CPU time per row, ${size}: ${name}`, median(costs.theirs), 'µs');
      table.add(`CPU time per row, ${size}: ours, in turn with ${kind}`, median(costs.ours), 'µs');
      table.add(
        `CPU time per row, ${size}: ${name} relative to ours`,
        ratioOf(costs.theirs, costs.ours),
        '×',
      );
    }
    child.kill('SIGKILL');
    await once(child, 'close');
  }
  ours.stop();
}

async function untilAnswered(url: string): Promise<void> {
  const until = performance.now() + 60_000;
  while (!(await fetch(url).catch(() => undefined))?.ok) {
    if (performance.now() > until) throw new Error(`${url} does not answer`);
    await sleep(100);
  }
}
