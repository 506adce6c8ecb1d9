import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRegistryFolder } from '../test/helpers/registry-folder.js';
import { startServerProcess } from '../test/helpers/server-process.js';
import { type BenchCase, createCases } from './cases.js';
import { type BenchServer, putLoad, startBenchServer } from './server-process.js';

interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly aim: string;
  readonly met: boolean | null;
}

interface Round {
  readonly cpuUs: number;
  readonly perSecond: number;
  readonly loadShare: number;
}

interface Measurement {
  readonly server: 'bare' | 'ours';
  readonly of: BenchCase;
  readonly connections: number;
  readonly rounds: Round[];
}

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 5);
const seconds = Number(process.env['BENCH_SECONDS'] ?? 1);
const rows: Row[] = [];
const add = (name: string, value: number, unit: string, aim = '', met: boolean | null = null) =>
  rows.push({ name, value: Number(value.toPrecision(4)), unit, aim, met });

using folder = createRegistryFolder();
const cases = await createCases(folder);
const servers: Record<'bare' | 'ours', BenchServer> = {
  bare: await startBenchServer('./bare-server.ts', [
    JSON.stringify(Object.fromEntries(cases.map((it) => [it.path, it.schema]))),
  ]),
  ours: await startBenchServer('./our-server.ts', [], { MODELS_DIR: folder.path }),
};
const measurements: Measurement[] = [1, 64].flatMap((connections) =>
  cases.flatMap((of) =>
    (['bare', 'ours'] as const).map((server) => ({ server, of, connections, rounds: [] })),
  ),
);

// One round warms up and is not counted; then each round measures everything once, in turn.
for (let round = 0; round <= rounds; round += 1) {
  for (const measurement of measurements) {
    const result = await measure(measurement);
    if (round > 0) measurement.rounds.push(result);
  }
}
servers.bare.stop();
servers.ours.stop();

for (const connections of [64, 1]) {
  for (const of of cases) report(of, connections);
}
await reportIdle();
print();

async function measure({ server, of, connections }: Measurement): Promise<Round> {
  const { port, cpuUs } = servers[server];
  const before = await cpuUs();
  const result = await putLoad({ port, path: of.path, body: of.body, connections, seconds });
  const spent = (await cpuUs()) - before;
  if (result.failed > 0) throw new Error(`${result.failed} requests of ${of.name} failed`);
  return { cpuUs: spent / result.answered, perSecond: result.perSecond, loadShare: result.cpuShare };
}

function report(of: BenchCase, connections: number): void {
  const at = `${of.name}, ${connections} connection${connections === 1 ? '' : 's'}`;
  const find = (server: 'bare' | 'ours') =>
    measurements.find(
      (it) => it.server === server && it.of === of && it.connections === connections,
    ) as Measurement;
  const [bare, ours] = [find('bare').rounds, find('ours').rounds];
  // Round by round, so that a machine that changes its speed changes both sides.
  const ratio = median(bare.map((round, k) => round.cpuUs / (ours[k] as Round).cpuUs));
  const isAim = of.path === '/predict' && connections === 64;
  add(`ratio to a bare route: ${at}`, ratio, '×', isAim ? '>= 0.75' : '', isAim ? ratio >= 0.75 : null);
  add(`CPU a request, bare: ${at}`, median(bare.map((round) => round.cpuUs)), 'µs');
  add(`CPU a request, ours: ${at}`, median(ours.map((round) => round.cpuUs)), 'µs');
  add(`throughput, bare: ${at}`, median(bare.map((round) => round.perSecond)), '1/s');
  add(`throughput, ours: ${at}`, median(ours.map((round) => round.perSecond)), '1/s');
  const share = Math.max(...[...bare, ...ours].map((round) => round.loadShare));
  add(`load generator's share of a core: ${at}`, share, '', '< 0.95', share < 0.95);
}

/** The five sample models as `npm start` serves them: memory when idle, and the time to the first answer. */
async function reportIdle(): Promise<void> {
  const started = performance.now();
  await using server = await startServerProcess();
  const readyMs = performance.now() - started;
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const status = readFileSync(`/proc/${server.child.pid}/status`, 'utf8');
  const residentMb = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024;
  add('resident memory, 5 sample models, idle', residentMb, 'MiB', '< 150', residentMb < 150);
  add('from the start of the process to listening', readyMs, 'ms', '<= 1000', readyMs <= 1_000);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] as number;
}

function print(): void {
  mkdirSync('reports', { recursive: true });
  writeFileSync('reports/bench.json', `${JSON.stringify(rows, null, 2)}\n`);
  console.log(
    `Node ${process.version}, ${rounds} rounds of ${seconds} s each, interleaved; medians. Only ratios of one run mean anything.`,
  );
  const width = Math.max(...rows.map((row) => row.name.length));
  for (const { name, value, unit, aim, met } of rows) {
    const verdict = met === null ? '' : met ? `aim ${aim}: met` : `aim ${aim}: MISSED`;
    console.log(`${name.padEnd(width)}  ${String(value).padStart(8)} ${unit.padEnd(4)} ${verdict}`);
  }
}
