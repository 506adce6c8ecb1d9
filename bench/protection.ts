import { createHash } from 'node:crypto';
import { startRedis } from '../test/helpers/redis.js';
import { createRegistryFolder } from '../test/helpers/registry-folder.js';
import { createCases } from './cases.js';
import type { LoadResult } from './load.js';
import { askProcess, type BenchServer, putLoad, startBenchServer } from './server-process.js';
import { atLeast, atMost, median, type Table } from './table.js';

interface Round {
  readonly cpuUs: number;
  readonly perSecond: number;
}

const kinds = ['bare', 'none', 'memory', 'redis', 'default', 'everything'] as const;
type Kind = (typeof kinds)[number];

const keys = Array.from({ length: 100 }, (_unused, k) => `bench-${k}-0123456789abcdef0123456789abcdef`);
/** Higher than the number of requests of any run. */
const ample = { max: 1_000_000, window: '1 day' };
const few = 5_000;
const maxEntries = 50;

/** The CPU time per request of API keys, of rate limits, and of the default configuration. */
export async function benchProtection(table: Table): Promise<void> {
  using folder = createRegistryFolder();
  await using redis = await startRedis();
  const [of] = await createCases(folder);
  if (of === undefined) throw new Error('there is no case');
  const entryOf = (key: string, rateLimit: object) => ({
    id: key.slice(0, 8).replace(/-$/, ''),
    sha256: createHash('sha256').update(key).digest('hex'),
    scopes: ['predict'],
    rateLimit,
  });
  const last = 'bench-few-0123456789abcdef0123456789abcdef';
  const entries = [...keys.map((key) => entryOf(key, ample)), entryOf(last, { max: few, window: '1 hour' })];
  const start = (environment: Record<string, string>) =>
    startBenchServer('./our-server.ts', [], { MODELS_DIR: folder.path, ...environment });
  const API_KEYS = JSON.stringify(entries);
  const servers: Record<Kind, BenchServer> = {
    bare: await startBenchServer('./bare-server.ts', [JSON.stringify({ [of.path]: of.schema })]),
    none: await start({ CACHE: 'off' }),
    memory: await start({ CACHE: 'off', API_KEYS }),
    redis: await start({ CACHE: 'off', API_KEYS, REDIS_URL: redis.url }),
    default: await start({ CACHE: '' }),
    everything: await start({ CACHE: 'memory', CACHE_MAX_ENTRIES: String(maxEntries), API_KEYS }),
  };
  const row = JSON.parse(of.body) as { income: number };
  const others = Array.from({ length: 4 * maxEntries }, (_unused, k) =>
    JSON.stringify({ ...row, income: row.income + k }),
  );
  const load = {
    path: of.path,
    body: of.body,
    connections: 64,
    seconds: table.seconds,
  };
  const withKeys = { headers: keys.map((key) => ({ 'x-api-key': key })) };
  const more: Record<Kind, object> = {
    bare: {},
    none: {},
    memory: withKeys,
    redis: withKeys,
    default: {},
    // Only cache misses: the most expensive kind of answer.
    everything: { ...withKeys, bodies: others },
  };
  const rounds: Record<Kind, Round>[] = [];
  for (let k = 0; k <= table.rounds; k += 1) {
    const round = {} as Record<Kind, Round>;
    for (const kind of kinds) {
      const server = servers[kind];
      const before = await server.cpuUs();
      const { answered, perSecond } = await putLoad({ port: server.port, ...load, ...more[kind] });
      round[kind] = { cpuUs: ((await server.cpuUs()) - before) / answered, perSecond };
    }
    if (k > 0) rounds.push(round);
  }
  const ratio = (kind: Kind, to: Kind, value: (round: Round) => number) =>
    median(rounds.map((it) => value(it[kind]) / value(it[to])));
  const cpu = (it: Round) => it.cpuUs;
  const perSecond = (it: Round) => it.perSecond;
  table.add(
    'CPU time, 100 keys with limits in memory relative to no keys',
    ratio('memory', 'none', cpu),
    '×',
    atMost(1.1),
  );
  table.add(
    'CPU time of a bare route relative to ours with keys, limits and cache misses',
    ratio('bare', 'everything', cpu),
    '×',
    atLeast(0.75),
  );
  table.add(
    'CPU time of a bare route relative to ours by default, one repeated row',
    ratio('bare', 'default', cpu),
    '×',
    atLeast(0.75),
  );
  table.add(
    'throughput, limits in Redis relative to limits in memory',
    ratio('redis', 'memory', perSecond),
    '×',
    atLeast(0.6),
  );
  table.add('CPU time, limits in Redis relative to limits in memory', ratio('redis', 'memory', cpu), '×');
  for (const kind of kinds) {
    table.add(`CPU time per request: ${kind}`, median(rounds.map((it) => it[kind].cpuUs)), 'µs');
    table.add(`throughput: ${kind}`, median(rounds.map((it) => it[kind].perSecond)), '1/s');
  }
  const limited = { ...load, headers: [{ 'x-api-key': last }] };
  for (const kind of ['memory', 'redis'] as const) {
    const { port } = servers[kind];
    const { answered, failed } = await askProcess<LoadResult>('./load.ts', { port, ...limited });
    table.add(`requests admitted at a limit of ${few}, limits: ${kind}`, answered - failed, '', atMost(few));
    table.add(`requests sent at a limit of ${few}, limits: ${kind}`, answered, '');
  }
  for (const kind of kinds) servers[kind].stop();
}
