import { createRegistryFolder } from '../test/helpers/registry-folder.js';
import { startServerProcess } from '../test/helpers/server-process.js';
import { addCreditRisk, loan, timed, timedModel } from './models.js';
import { openLoadFault, putOpenLoad, type Target } from './open-load.js';
import { putLoad } from './server-process.js';
import { atMost, median, percentile, sleep, type Table } from './table.js';

const kinds = ['none', 'isolated', 'inline'] as const;
type Kind = (typeof kinds)[number];

/** What a model with runs of 20 ms, which runs without a pause, costs the health probe and an inline model beside it. */
export async function benchNeighbours(table: Table): Promise<void> {
  const fault = openLoadFault();
  if (fault !== undefined) {
    table.skip('p99 beside an isolated model that runs flat out', fault);
    return;
  }
  using folder = createRegistryFolder();
  addCreditRisk(folder);
  const model = timedModel(20);
  for (const executor of ['isolated', 'inline'] as const) {
    const runtime = { executor, maxBatchRows: 1, timeoutMs: 60_000 };
    folder.addVersion(executor, '1', { manifest: { ...timed.manifest, runtime }, model });
  }
  await using server = await startServerProcess({ MODELS_DIR: folder.path, DEFAULT_MODEL: 'credit-risk' });
  const { port, url } = server;
  const targets: readonly (Target & { readonly name: string })[] = [
    { name: '/health/live', url: `${url}/health/live` },
    { name: 'inline model', url: `${url}/models/credit-risk/predict`, body: loan },
  ];
  const seconds = 2 * table.seconds;
  const keepBusy = (kind: Kind, forSeconds: number) =>
    kind === 'none'
      ? undefined
      : putLoad({
          port,
          path: `/models/${kind}/predict`,
          body: timed.body,
          connections: 2,
          seconds: forSeconds,
        });

  const path = '/models/credit-risk/predict';
  const load = () => putLoad({ port, path, body: loan, connections: 64, seconds: table.seconds });
  await load();
  // What is left of the machine while the isolated model takes its processor: half of that is asked for each time.
  const busy = keepBusy('isolated', table.seconds + 2);
  const closed = await load();
  await busy;
  const perSecond = closed.perSecond / 2;

  const p99 = new Map<string, number[]>();
  for (let k = 0; k < table.rounds; k += 1) {
    for (const kind of kinds) {
      // The neighbour begins before and ends after.
      const beside = keepBusy(kind, seconds + 2);
      await sleep(1_000);
      const samples = await putOpenLoad(targets, { perSecond, seconds });
      await beside;
      for (const target of targets) {
        const tookMs = samples.filter((it) => it.url === target.url).map((it) => it.ms);
        const key = `${target.name} ${kind}`;
        p99.set(key, [...(p99.get(key) ?? []), percentile(tookMs, 0.99)]);
      }
    }
  }

  table.add('open loop: half of the capacity beside an isolated model of 20 ms runs', perSecond, '1/s');
  for (const { name } of targets) {
    const of = (kind: Kind) => p99.get(`${name} ${kind}`) ?? [];
    const times = (kind: Kind) => median(of(kind).map((ms, k) => ms / (of('none')[k] ?? Number.NaN)));
    table.add(`p99 of ${name}, beside isolated 20 ms runs to without`, times('isolated'), '×', atMost(1.5));
    table.add(`p99 of ${name}, beside inline 20 ms runs to without`, times('inline'), '×');
    for (const kind of kinds) table.add(`p99 of ${name}, beside: ${kind}`, median(of(kind)), 'ms');
  }
}
