import { createRegistryFolder } from '../test/helpers/registry-folder.js';
import { startServerProcess } from '../test/helpers/server-process.js';
import { type BenchCase, createCases } from './cases.js';
import { residentMiB } from './proc.js';
import { type BenchServer, putLoad, startBenchServer } from './server-process.js';
import { atLeast, atMost, below, median, sleep, type Table } from './table.js';

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

/** Each sample request against a bare Fastify route that checks the same body, by processor time. */
export async function benchHttp(table: Table): Promise<void> {
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
  for (let round = 0; round <= table.rounds; round += 1) {
    for (const measurement of measurements) {
      const result = await measure(servers[measurement.server], measurement, table.seconds);
      if (round > 0) measurement.rounds.push(result);
    }
  }
  servers.bare.stop();
  servers.ours.stop();
  for (const connections of [64, 1]) {
    for (const of of cases) report(table, measurements, of, connections);
  }
}

async function measure(
  { port, cpuUs }: BenchServer,
  { of, connections }: Measurement,
  seconds: number,
): Promise<Round> {
  const before = await cpuUs();
  const result = await putLoad({ port, path: of.path, body: of.body, connections, seconds });
  const spent = (await cpuUs()) - before;
  return { cpuUs: spent / result.answered, perSecond: result.perSecond, loadShare: result.cpuShare };
}

function report(
  table: Table,
  measurements: readonly Measurement[],
  of: BenchCase,
  connections: number,
): void {
  const at = `${of.name}, ${connections} connection${connections === 1 ? '' : 's'}`;
  const find = (server: 'bare' | 'ours') =>
    measurements.find(
      (it) => it.server === server && it.of === of && it.connections === connections,
    ) as Measurement;
  const [bare, ours] = [find('bare').rounds, find('ours').rounds];
  // Round by round, so that a machine that changes its speed changes both sides.
  const ratio = median(bare.map((round, k) => round.cpuUs / (ours[k] as Round).cpuUs));
  const isAim = of.path === '/predict' && connections === 64;
  table.add(`ratio to a bare route: ${at}`, ratio, '×', isAim ? atLeast(0.75) : undefined);
  table.add(`CPU a request, bare: ${at}`, median(bare.map((round) => round.cpuUs)), 'µs');
  table.add(`CPU a request, ours: ${at}`, median(ours.map((round) => round.cpuUs)), 'µs');
  table.add(`throughput, bare: ${at}`, median(bare.map((round) => round.perSecond)), '1/s');
  table.add(`throughput, ours: ${at}`, median(ours.map((round) => round.perSecond)), '1/s');
  const share = Math.max(...[...bare, ...ours].map((round) => round.loadShare));
  table.add(`load generator's share of a core: ${at}`, share, '', below(0.95));
}

/** The five sample models as `npm start` serves them: memory when idle, and the time to the first answer. */
export async function benchIdle(table: Table): Promise<void> {
  const started = performance.now();
  await using server = await startServerProcess();
  const readyMs = performance.now() - started;
  await sleep(2_000);
  const residentMb = residentMiB(server.child.pid);
  table.add('resident memory, 5 sample models, idle', residentMb, 'MiB', below(150));
  table.add('from the start of the process to listening', readyMs, 'ms', atMost(1_000));
}
