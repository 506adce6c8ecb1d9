import { createRegistryFolder } from '../test/helpers/registry-folder.js';
import { type ServerProcess, startServerProcess } from '../test/helpers/server-process.js';
import { addCreditRisk, loan } from './models.js';
import { cpuSecondsOf } from './proc.js';
import { putLoad } from './server-process.js';
import { atLeast, median, type Table } from './table.js';

interface Round {
  readonly perSecond: number;
  readonly perCpuSecond: number;
  readonly loadShare: number;
  /** Processors that the server had. */
  readonly cpus: number;
}

/**
 * Two workers against one. The load generator takes its part of the processors, so that on two of them the second
 * worker can have no more than what is left: what a request costs is what tells whether workers scale.
 */
export async function benchWorkers(table: Table): Promise<void> {
  using folder = createRegistryFolder();
  addCreditRisk(folder);
  await using one = await startServerProcess({ MODELS_DIR: folder.path, WORKERS: '1' });
  await using two = await startServerProcess({ MODELS_DIR: folder.path, WORKERS: '2' });
  const seconds = 2 * table.seconds;
  const rounds: { one: Round; two: Round }[] = [];
  for (let k = 0; k <= table.rounds; k += 1) {
    const round = { one: await measure(one, seconds), two: await measure(two, seconds) };
    if (k > 0) rounds.push(round);
  }
  const ratio = (of: (round: Round) => number) => median(rounds.map((it) => of(it.two) / of(it.one)));
  table.add(
    'requests a CPU second, 2 workers to 1',
    ratio((it) => it.perCpuSecond),
    '×',
    atLeast(0.9),
  );
  table.add(
    'throughput, 2 workers to 1',
    ratio((it) => it.perSecond),
    '×',
  );
  table.add(
    'processors that the server had, 2 workers to 1',
    ratio((it) => it.cpus),
    '×',
  );
  for (const workers of ['one', 'two'] as const) {
    const of = (value: (round: Round) => number) => median(rounds.map((it) => value(it[workers])));
    const at = `workers: ${workers}`;
    table.add(
      `throughput, ${at}`,
      of((it) => it.perSecond),
      '1/s',
    );
    table.add(
      `CPU a request, ${at}`,
      of((it) => 1e6 / it.perCpuSecond),
      'µs',
    );
    table.add(
      `processors that the server had, ${at}`,
      of((it) => it.cpus),
      '',
    );
    table.add(
      `load generator's share of a core, ${at}`,
      of((it) => it.loadShare),
      '',
    );
  }
}

async function measure({ child, port }: ServerProcess, seconds: number): Promise<Round> {
  const pid = child.pid as number;
  const before = cpuSecondsOf(pid);
  const load = { port, path: '/predict', body: loan, connections: 64, seconds };
  const { answered, perSecond, cpuShare } = await putLoad(load);
  const spent = cpuSecondsOf(pid) - before;
  return {
    perSecond,
    perCpuSecond: answered / spent,
    loadShare: cpuShare,
    cpus: spent / (answered / perSecond),
  };
}
