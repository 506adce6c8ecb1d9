import { childrenOf } from '../test/helpers/processes.js';
import { createRegistryFolder } from '../test/helpers/registry-folder.js';
import { startServerProcess } from '../test/helpers/server-process.js';
import { timed, timedModel } from './models.js';
import { openLoadFault, putOpenLoad } from './open-load.js';
import { cpuSecondsOf } from './proc.js';
import { putLoad } from './server-process.js';
import { atLeast, atMost, median, percentile, type Table } from './table.js';

interface Attack {
  readonly goodPerSecond: number;
  /** Good answers per second of CPU time of the model's process. */
  readonly goodPerCpuSecond: number;
  readonly acceptedMs: number;
  readonly refusedMs: number;
  /** The share of requests with neither an answer nor a 503, but a 504. */
  readonly lost: number;
}

const timeoutMs = 200;
const factors = [1, 2, 5, 10];

/** Sends an isolated model of about 5 ms per run more requests than it can answer. */
export async function benchOverload(table: Table): Promise<void> {
  const fault = openLoadFault();
  if (fault !== undefined) {
    table.skip('goodput beyond capacity', fault);
    return;
  }
  using folder = createRegistryFolder();
  const runtime = { executor: 'isolated' as const, maxBatchRows: 1, timeoutMs };
  folder.addVersion('slow', '1', { manifest: { ...timed.manifest, runtime }, model: timedModel(5) });
  // The rows are equal, and each must run.
  await using server = await startServerProcess({ MODELS_DIR: folder.path, CACHE: 'off' });
  const { port } = server;
  const child = childrenOf(server.child.pid as number, 'slow/1')[0] as number;
  const path = '/predict';
  const closed = { port, path, body: timed.body, connections: 4, seconds: table.seconds };
  await putLoad(closed);

  const capacities: number[] = [];
  const attacks = new Map<number, Attack[]>(factors.map((factor) => [factor, []]));
  for (let k = 0; k < table.rounds; k += 1) {
    const { perSecond: capacity } = await putLoad(closed);
    capacities.push(capacity);
    for (const factor of factors) {
      const seconds = 3 * table.seconds;
      const before = cpuSecondsOf(child);
      const samples = await putOpenLoad([{ url: `${server.url}${path}`, body: timed.body }], {
        perSecond: factor * capacity,
        seconds,
      });
      const accepted = samples.filter((it) => it.status === 200).map((it) => it.ms);
      const refused = samples.filter((it) => it.status === 503).map((it) => it.ms);
      const good = accepted.filter((ms) => ms <= timeoutMs).length;
      attacks.get(factor)?.push({
        goodPerSecond: good / seconds,
        goodPerCpuSecond: good / (cpuSecondsOf(child) - before),
        acceptedMs: percentile(accepted, 0.99),
        refusedMs: refused.length === 0 ? 0 : percentile(refused, 0.99),
        lost: 1 - (accepted.length + refused.length) / samples.length,
      });
    }
  }

  const of = (factor: number, value: (attack: Attack) => number) =>
    median((attacks.get(factor) ?? []).map(value));
  const name = 'isolated, 5 ms per run';
  const shareOfBest = (value: (attack: Attack) => number) =>
    median(
      capacities.map((_, k) => {
        const goodputs = factors.map((factor) => value((attacks.get(factor) ?? [])[k] as Attack));
        return (goodputs.at(-1) ?? 0) / Math.max(...goodputs);
      }),
    );
  table.add(`capacity, closed loop: ${name}`, median(capacities), '1/s');
  table.add(
    `goodput at 10 times capacity relative to the best: ${name}`,
    shareOfBest((it) => it.goodPerSecond),
    '×',
    atLeast(0.9),
  );
  // On a machine with two processors, the flood itself takes CPU time from the model. This row leaves that out.
  table.add(
    `goodput per CPU second of the model at 10 times capacity relative to the best: ${name}`,
    shareOfBest((it) => it.goodPerCpuSecond),
    '×',
    atLeast(0.9),
  );
  for (const factor of factors) {
    const at = `at ${factor} times capacity: ${name}`;
    table.add(
      `goodput ${at}`,
      of(factor, (it) => it.goodPerSecond),
      '1/s',
    );
    table.add(
      `p99 of answers ${at}`,
      of(factor, (it) => it.acceptedMs),
      'ms',
      atMost(timeoutMs),
    );
    table.add(
      `p99 of refusals ${at}`,
      of(factor, (it) => it.refusedMs),
      'ms',
      atMost(10),
    );
    table.add(
      `share of requests that timed out ${at}`,
      of(factor, (it) => it.lost),
      '',
    );
  }
}
