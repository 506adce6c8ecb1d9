import { createHash } from 'node:crypto';
import { startRedis } from '../test/helpers/redis.js';
import { createRegistryFolder } from '../test/helpers/registry-folder.js';
import { startServerProcess } from '../test/helpers/server-process.js';
import { addCreditRisk, loan } from './models.js';
import { openLoadFault, putOpenLoad, type Sample } from './open-load.js';
import { atMost, median, percentile, sleep, type Table } from './table.js';

const perSecond = 500;
const key = 'bench-0123456789abcdef0123456789abcdef';
/** The breaker opens within this time after Redis stops. */
const openMs = 500;

/** The latency for clients while Redis is frozen, with keys, limits and the cache in use. */
export async function benchRedisFrozen(table: Table): Promise<void> {
  const fault = openLoadFault();
  if (fault !== undefined) {
    table.skip('p99 while Redis is frozen', fault);
    return;
  }
  using folder = createRegistryFolder();
  addCreditRisk(folder);
  await using redis = await startRedis();
  const sha256 = createHash('sha256').update(key).digest('hex');
  const rateLimit = { max: 1_000_000, window: '1 day' };
  await using server = await startServerProcess({
    MODELS_DIR: folder.path,
    REDIS_URL: redis.url,
    CACHE: 'redis',
    API_KEYS: JSON.stringify([{ id: 'bench', sha256, scopes: ['predict'], rateLimit }]),
  });
  const target = { url: `${server.url}/predict`, body: loan, headers: { 'x-api-key': key } };
  // Long enough that one slow request does not decide the p99 of a phase.
  const phaseMs = 4_000 * table.seconds;
  const phases: Record<'before' | 'opening' | 'during' | 'after', number[]> = {
    before: [],
    opening: [],
    during: [],
    after: [],
  };
  let failed = 0;
  for (let k = 0; k <= table.rounds; k += 1) {
    const startedAt = Date.now();
    const load = putOpenLoad([target], { perSecond, seconds: (4 * phaseMs) / 1_000 });
    await sleep(phaseMs);
    const frozenAt = Date.now();
    redis.freeze();
    await sleep(phaseMs);
    const thawedAt = Date.now();
    redis.thaw();
    const samples = (await load).filter(({ at }) => at > startedAt + phaseMs / 4);
    if (k === 0) continue;
    failed += samples.filter(({ status }) => status !== 200).length;
    const p99 = (from: number, to: number) =>
      percentile(
        samples.filter(({ at }: Sample) => at >= from && at < to).map(({ ms }) => ms),
        0.99,
      );
    phases.before.push(p99(0, frozenAt));
    phases.opening.push(p99(frozenAt, frozenAt + openMs));
    phases.during.push(p99(frozenAt + openMs, thawedAt));
    phases.after.push(p99(thawedAt + phaseMs, Number.POSITIVE_INFINITY));
  }
  const times = (of: readonly number[]) => median(of.map((ms, k) => ms / (phases.before[k] ?? Number.NaN)));
  table.add(
    'p99 with Redis frozen and the breaker open, relative to before',
    times(phases.during),
    '×',
    atMost(1.2),
  );
  table.add('p99 with Redis frozen, until the breaker is open', median(phases.opening), 'ms', atMost(60));
  table.add('p99 after Redis is back, relative to before', times(phases.after), '×');
  table.add('p99 before Redis is frozen', median(phases.before), 'ms');
  table.add('failed requests', failed, '', atMost(0));
}
