import { provideNginx, startNginx } from '../test/helpers/nginx.js';
import { createRegistryFolder } from '../test/helpers/registry-folder.js';
import { startServerProcess } from '../test/helpers/server-process.js';
import { addCreditRisk, loan } from './models.js';
import { cpuSecondsOf } from './proc.js';
import { putLoad } from './server-process.js';
import { median, type Table } from './table.js';

const kinds = ['direct', 'behind nginx', 'three behind nginx'] as const;
type Kind = (typeof kinds)[number];

interface Round {
  readonly perSecond: number;
  readonly serverUs: number;
  readonly nginxUs: number;
}

/** The cost of nginx, and three servers behind it compared with one, with the project's own nginx.conf. */
export async function benchReplicas(table: Table): Promise<void> {
  const path = provideNginx();
  if (path === undefined) {
    table.skip('throughput, three servers behind nginx relative to one', 'nginx is not installed');
    return;
  }
  using folder = createRegistryFolder();
  addCreditRisk(folder);
  const start = () => startServerProcess({ MODELS_DIR: folder.path, TRUST_PROXY: '127.0.0.1' });
  await using one = await start();
  await using second = await start();
  await using third = await start();
  const servers = [one, second, third];
  await using before = await startNginx(path, one.port);
  await using beforeAll = await startNginx(path, ...servers.map(({ port }) => port));
  const measure = async (port: number, nginx: number | undefined): Promise<Round> => {
    const cpu = () => servers.reduce((sum, { child }) => sum + cpuSecondsOf(child.pid as number), 0);
    const [server, proxy] = [cpu(), nginx === undefined ? 0 : cpuSecondsOf(nginx)];
    const load = { port, path: '/predict', body: loan, connections: 64, seconds: table.seconds };
    const { answered, perSecond } = await putLoad(load);
    return {
      perSecond,
      serverUs: ((cpu() - server) * 1e6) / answered,
      nginxUs: nginx === undefined ? 0 : ((cpuSecondsOf(nginx) - proxy) * 1e6) / answered,
    };
  };
  const rounds: Record<Kind, Round>[] = [];
  for (let k = 0; k <= table.rounds; k += 1) {
    const round = {
      direct: await measure(one.port, undefined),
      'behind nginx': await measure(before.port, before.pid),
      'three behind nginx': await measure(beforeAll.port, beforeAll.pid),
    };
    if (k > 0) rounds.push(round);
  }
  const ratio = (kind: Kind, to: Kind) => median(rounds.map((it) => it[kind].perSecond / it[to].perSecond));
  table.add(
    'throughput, one server behind nginx relative to a direct connection',
    ratio('behind nginx', 'direct'),
    '×',
  );
  table.add(
    'throughput, three servers behind nginx relative to one',
    ratio('three behind nginx', 'behind nginx'),
    '×',
  );
  for (const kind of kinds) {
    const of = (value: (round: Round) => number) => median(rounds.map((it) => value(it[kind])));
    table.add(
      `throughput: ${kind}`,
      of((it) => it.perSecond),
      '1/s',
    );
    table.add(
      `CPU time per request, servers: ${kind}`,
      of((it) => it.serverUs),
      'µs',
    );
    if (kind !== 'direct') {
      table.add(
        `CPU time per request, nginx: ${kind}`,
        of((it) => it.nginxUs),
        'µs',
      );
    }
  }
}
