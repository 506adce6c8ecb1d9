import { startRedis } from '../test/helpers/redis.js';
import { createRegistryFolder } from '../test/helpers/registry-folder.js';
import { type ServerProcess, startServerProcess } from '../test/helpers/server-process.js';
import { addCreditRisk, loan, timed, timedModel } from './models.js';
import { cpuSecondsOf } from './proc.js';
import { putLoad } from './server-process.js';
import { median, type Table } from './table.js';

interface CachedModel {
  readonly name: string;
  readonly model: string;
  readonly body: string;
  /** More rows than the cache holds, so that none is ever found in it. */
  readonly others: readonly string[];
}

interface Way {
  readonly name: string;
  readonly server: ServerProcess;
  readonly isMiss: boolean;
}

interface Round {
  readonly medianMs: number;
  readonly cpuUs: number;
}

const maxEntries = 50;

/** The cost of cache hits and cache misses, for models with three run times. */
export async function benchCaching(table: Table): Promise<void> {
  using folder = createRegistryFolder();
  addCreditRisk(folder);
  const models: CachedModel[] = [
    {
      name: 'a model of 10 µs',
      model: 'credit-risk',
      body: loan,
      others: rowsLike(JSON.parse(loan), 'income'),
    },
  ];
  for (const ms of [1, 20]) {
    const runtime = { executor: 'isolated' as const, timeoutMs: 10_000 };
    folder.addVersion(`timed-${ms}`, '1', {
      manifest: { ...timed.manifest, runtime },
      model: timedModel(ms),
    });
    models.push({
      name: `a model of ${ms} ms`,
      model: `timed-${ms}`,
      body: timed.body,
      others: rowsLike(timed.row, 'a'),
    });
  }
  const start = (environment: Record<string, string>) =>
    startServerProcess({ MODELS_DIR: folder.path, ...environment });
  await using off = await start({ CACHE: 'off' });
  await using memory = await start({ CACHE: 'memory', CACHE_MAX_ENTRIES: String(maxEntries) });
  await using redis = await startRedis();
  await using remote = await start({ CACHE: 'redis', REDIS_URL: redis.url });
  const ways: Way[] = [
    { name: 'without a cache', server: off, isMiss: true },
    { name: 'miss in memory', server: memory, isMiss: true },
    { name: 'hit in memory', server: memory, isMiss: false },
    { name: 'hit in Redis', server: remote, isMiss: false },
  ];
  const connections = 1;
  const rounds = new Map<string, Round[]>();
  for (let k = 0; k <= table.rounds; k += 1) {
    for (const { name, model, body, others } of models) {
      for (const way of ways) {
        const { port, child } = way.server;
        const path = `/models/${model}/predict`;
        const bodies = way.isMiss ? others : [body];
        const before = cpuSecondsOf(child.pid as number);
        const load = await putLoad({ port, path, body, bodies, connections, seconds: table.seconds });
        const cpuUs = (1e6 * (cpuSecondsOf(child.pid as number) - before)) / load.answered;
        const key = `${name}, ${way.name}`;
        if (k > 0) rounds.set(key, [...(rounds.get(key) ?? []), { medianMs: load.medianMs, cpuUs }]);
      }
    }
  }
  for (const { name } of models) {
    const of = (way: string, value: (round: Round) => number) =>
      (rounds.get(`${name}, ${way}`) ?? []).map(value);
    for (const { name: way } of ways) {
      table.add(`latency, 1 connection: ${name}, ${way}`, median(of(way, (it) => it.medianMs)), 'ms');
      table.add(
        `CPU time per request, 1 connection: ${name}, ${way}`,
        median(of(way, (it) => it.cpuUs)),
        'µs',
      );
    }
    for (const { name: way } of ways.slice(1)) {
      const without = of('without a cache', (it) => it.cpuUs);
      const ratio = median(of(way, (it) => it.cpuUs).map((us, k) => us / (without[k] ?? Number.NaN)));
      table.add(`CPU time, ${way} relative to no cache: ${name}`, ratio, '×');
    }
  }
}

/** Rows that differ in one number. */
function rowsLike(row: Readonly<Record<string, number>>, feature: string): readonly string[] {
  return Array.from({ length: 4 * maxEntries }, (_unused, k) =>
    JSON.stringify({ ...row, [feature]: (row[feature] as number) + k / 1_000 }),
  );
}
