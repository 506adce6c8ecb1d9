import { createRegistryFolder } from '../test/helpers/registry-folder.js';
import { startServerProcess } from '../test/helpers/server-process.js';
import { type BenchCase, createCases, uniqueNumber } from './cases.js';
import type { EngineRoute } from './engine-server.js';
import { residentMiB } from './proc.js';
import { type BenchServer, putLoad, startBenchServer } from './server-process.js';
import { atLeast, atMost, below, median, sleep, type Table } from './table.js';

/** `bare`: a constant answer. `engine`: only runs the model. `off`: Sardonyx without a cache. `default`: Sardonyx. */
const kinds = ['bare', 'engine', 'off', 'default'] as const;
type Kind = (typeof kinds)[number];

interface Round {
  readonly cpuUs: number;
  readonly perSecond: number;
  readonly loadShare: number;
}

interface Measurement {
  readonly kind: Kind;
  readonly of: BenchCase;
  readonly connections: number;
  /** Whether each request has a different row. */
  readonly isUnique: boolean;
  readonly rounds: Round[];
}

/** Long enough to fill the default cache of 100,000 answers. */
const fillSeconds = 8;

/** Compares Sardonyx with two minimal servers by CPU time per request. Rows never repeat, and the cache is full. */
export async function benchHttp(table: Table): Promise<void> {
  using folder = createRegistryFolder();
  const cases = await createCases(folder);
  const engineRoutes = cases.map(({ path, ...it }): [string, EngineRoute] => [path, it]);
  const ours = { MODELS_DIR: folder.path };
  const servers: Record<Kind, BenchServer> = {
    bare: await startBenchServer('./bare-server.ts', [
      JSON.stringify(Object.fromEntries(cases.map((it) => [it.path, it.schema]))),
    ]),
    engine: await startBenchServer('./engine-server.ts', [JSON.stringify(Object.fromEntries(engineRoutes))]),
    off: await startBenchServer('./our-server.ts', [], { ...ours, CACHE: 'off' }),
    default: await startBenchServer('./our-server.ts', [], ours),
  };
  const measurements: Measurement[] = cases.flatMap((of) => [
    ...kinds.map((kind) => ({ kind, of, connections: 64, isUnique: true, rounds: [] })),
    { kind: 'default', of, connections: 64, isUnique: false, rounds: [] },
    { kind: 'bare', of, connections: 1, isUnique: true, rounds: [] },
    { kind: 'default', of, connections: 1, isUnique: true, rounds: [] },
  ]);
  for (const of of cases) {
    await measure(servers.default, { of, connections: 64, isUnique: true }, fillSeconds / cases.length);
  }
  // The first round warms up and is not counted.
  for (let round = 0; round <= table.rounds; round += 1) {
    // Each round starts at another measurement, since the machine gets warmer within a round.
    for (let k = 0; k < measurements.length; k += 1) {
      const measurement = measurements[(k + 3 * round) % measurements.length] as Measurement;
      const result = await measure(servers[measurement.kind], measurement, table.seconds);
      if (round > 0) measurement.rounds.push(result);
    }
  }
  for (const kind of kinds) servers[kind].stop();
  for (const connections of [64, 1]) {
    for (const of of cases) report(table, measurements, of, connections);
  }
}

async function measure(
  { port, cpuUs }: BenchServer,
  { of, connections, isUnique }: Pick<Measurement, 'of' | 'connections' | 'isUnique'>,
  seconds: number,
): Promise<Round> {
  const before = await cpuUs();
  const bodies = isUnique ? { body: of.uniqueBody, unique: uniqueNumber } : { body: of.body };
  const result = await putLoad({ port, path: of.path, ...bodies, connections, seconds });
  const spent = (await cpuUs()) - before;
  return { cpuUs: spent / result.answered, perSecond: result.perSecond, loadShare: result.cpuShare };
}

/** The median ratio of CPU times, round by round, so that a change in the machine's speed affects both sides. */
const ratioOf = (rounds: readonly Round[], to: readonly Round[]): number =>
  median(rounds.map((round, k) => round.cpuUs / (to[k] as Round).cpuUs));

function report(
  table: Table,
  measurements: readonly Measurement[],
  of: BenchCase,
  connections: number,
): void {
  const at = `${of.name}, ${connections} connection${connections === 1 ? '' : 's'}`;
  const find = (kind: Kind, isUnique = true): readonly Round[] =>
    measurements.find(
      (it) => it.kind === kind && it.of === of && it.connections === connections && it.isUnique === isUnique,
    )?.rounds ?? [];
  const [bare, ours] = [find('bare'), find('default')];
  const isAim = of.path === '/predict' && connections === 64;
  const aimed = (limit: number) => (isAim ? atMost(limit) : undefined);
  table.add(
    `CPU time of a bare route relative to ours: ${at}`,
    ratioOf(bare, ours),
    '×',
    isAim ? atLeast(0.75) : undefined,
  );
  if (connections > 1) {
    const [engine, off, repeated] = [find('engine'), find('off'), find('default', false)];
    table.add(
      `CPU time, ours relative to Fastify with the engine: ${at}`,
      ratioOf(ours, engine),
      '×',
      aimed(1.2),
    );
    table.add(`CPU time, ours relative to CACHE=off: ${at}`, ratioOf(ours, off), '×', aimed(1.02));
    table.add(
      `CPU time of a bare route relative to ours, one repeated row: ${at}`,
      ratioOf(bare, repeated),
      '×',
    );
    table.add(
      `CPU time per request, Fastify with the engine: ${at}`,
      median(engine.map((round) => round.cpuUs)),
      'µs',
    );
    table.add(`CPU time per request, CACHE=off: ${at}`, median(off.map((round) => round.cpuUs)), 'µs');
  }
  for (const [name, rounds] of Object.entries({ bare, ours })) {
    table.add(`CPU time per request, ${name}: ${at}`, median(rounds.map((round) => round.cpuUs)), 'µs');
    table.add(`throughput, ${name}: ${at}`, median(rounds.map((round) => round.perSecond)), '1/s');
  }
  const share = Math.max(...[...bare, ...ours].map((round) => round.loadShare));
  table.add(`CPU use of the load generator, in cores: ${at}`, share, '', below(0.95));
}

/** The five sample models as `npm start` serves them: idle memory, and the time until the server listens. */
export async function benchIdle(table: Table): Promise<void> {
  const started = performance.now();
  await using server = await startServerProcess();
  const readyMs = performance.now() - started;
  await sleep(2_000);
  const residentMb = residentMiB(server.child.pid);
  table.add('resident memory, 5 sample models, idle', residentMb, 'MiB', below(150));
  table.add('from the start of the process to listening', readyMs, 'ms', atMost(1_000));
}
