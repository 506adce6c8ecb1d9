import { createRegistryFolder } from '../test/helpers/registry-folder.js';
import { type ServerProcess, startServerProcess } from '../test/helpers/server-process.js';
import type { LoadResult } from './load.js';
import { addCreditRisk, loan } from './models.js';
import { cpuSecondsOf } from './proc.js';
import { putLoad } from './server-process.js';
import { atLeast, median, type Table } from './table.js';

interface Round {
  readonly perSecond: number;
  readonly perCpuSecond: number;
  readonly loadShare: number;
  /** CPU time of the server divided by the elapsed time. */
  readonly cpus: number;
}

const kinds = ['one', 'two', 'apart'] as const;
type Kind = (typeof kinds)[number];

/**
 * Compares two workers with one, and with two separate servers, which show how much two busy processors slow each other
 * down on this machine. Each load generator has half of its connections to each server, as it has with workers. On a
 * machine with two processors the load generators leave little for the second worker: the CPU time per request, not the
 * throughput, shows whether workers scale.
 */
export async function benchWorkers(table: Table): Promise<void> {
  using folder = createRegistryFolder();
  // One row per run: otherwise a busier worker would share runs among more rows, and its CPU time would fall.
  addCreditRisk(folder, { maxBatchRows: 1 });
  const start = (workers: number) =>
    startServerProcess({ MODELS_DIR: folder.path, WORKERS: String(workers) });
  await using one = await start(1);
  await using other = await start(1);
  await using two = await start(2);
  const seconds = 2 * table.seconds;
  const rounds: Record<Kind, Round>[] = [];
  for (let k = 0; k <= table.rounds; k += 1) {
    const round = {
      one: await measure([one], [[one]], seconds),
      two: await measure([two], [[two], [two]], seconds),
      apart: await measure(
        [one, other],
        [
          [one, other],
          [other, one],
        ],
        seconds,
      ),
    };
    if (k > 0) rounds.push(round);
  }
  const ratio = (kind: Kind, to: Kind, of: (round: Round) => number) =>
    median(rounds.map((it) => of(it[kind]) / of(it[to])));
  const perCpuSecond = (it: Round) => it.perCpuSecond;
  table.add(
    'requests per CPU second, 2 workers relative to 1',
    ratio('two', 'one', perCpuSecond),
    '×',
    atLeast(0.9),
  );
  table.add(
    'requests per CPU second, 2 separate servers relative to 1',
    ratio('apart', 'one', perCpuSecond),
    '×',
  );
  table.add(
    'requests per CPU second, 2 workers relative to 2 separate servers',
    ratio('two', 'apart', perCpuSecond),
    '×',
    atLeast(0.9),
  );
  table.add(
    'throughput, 2 workers relative to 1',
    ratio('two', 'one', (it) => it.perSecond),
    '×',
  );
  table.add(
    'CPU use of the server, 2 workers relative to 1',
    ratio('two', 'one', (it) => it.cpus),
    '×',
  );
  for (const kind of kinds) {
    const of = (value: (round: Round) => number) => median(rounds.map((it) => value(it[kind])));
    const at = kind === 'apart' ? '2 separate servers' : `workers: ${kind}`;
    table.add(
      `throughput, ${at}`,
      of((it) => it.perSecond),
      '1/s',
    );
    table.add(
      `CPU time per request, ${at}`,
      of((it) => 1e6 / it.perCpuSecond),
      'µs',
    );
    table.add(
      `CPU use of the server, in cores, ${at}`,
      of((it) => it.cpus),
      '',
    );
    table.add(
      `CPU use of the load generators, in cores, ${at}`,
      of((it) => it.loadShare),
      '',
    );
  }
}

/** Runs one load generator for each of `targets`, and measures the CPU time of all `servers` together. */
async function measure(
  servers: readonly ServerProcess[],
  targets: readonly (readonly [ServerProcess, ServerProcess?])[],
  seconds: number,
): Promise<Round> {
  const cpuSeconds = () => servers.reduce((sum, { child }) => sum + cpuSecondsOf(child.pid as number), 0);
  const before = cpuSeconds();
  const loads = await Promise.all(
    targets.map(([{ port }, other]) =>
      putLoad({ port, otherPort: other?.port, path: '/predict', body: loan, connections: 64, seconds }),
    ),
  );
  const spent = cpuSeconds() - before;
  const sum = (of: (load: LoadResult) => number) => loads.reduce((total, load) => total + of(load), 0);
  const answered = sum((it) => it.answered);
  const perSecond = sum((it) => it.perSecond);
  return {
    perSecond,
    perCpuSecond: answered / spent,
    loadShare: sum((it) => it.cpuShare),
    cpus: spent / (answered / perSecond),
  };
}
