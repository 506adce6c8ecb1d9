import { AggregatorRegistry } from 'prom-client';
import { createPauses } from '../time/slices.js';
import { scrapeSliceMs } from './exposition.js';
import type { MetricsSnapshot } from './metrics.js';

/** Gauges of which prom-client makes a mean, in which the one process that is stuck would hide. */
const worstOfAll = /^nodejs_eventloop_lag_(?!min)/;

/** The series of several processes: counts are added, gauges follow their `aggregator`. Exemplars are left out. */
export async function sumMetrics(snapshots: readonly MetricsSnapshot[]): Promise<MetricsSnapshot> {
  const byName = new Map<string, MetricsSnapshot[number][]>();
  for (const family of snapshots.flat()) {
    const it = worstOfAll.test(family.name) ? { ...family, aggregator: 'max' as const } : family;
    const known = byName.get(it.name);
    if (known === undefined) byName.set(it.name, [it]);
    else known.push(it);
  }
  const sums: MetricsSnapshot[number][] = [];
  const pause = createPauses(scrapeSliceMs);
  for (const families of byName.values()) {
    const all = families.map((it) => [it]);
    sums.push(...(await AggregatorRegistry.aggregate(all).getMetricsAsJSON()));
    await pause();
  }
  return sums;
}

/** The sums of counters and histograms, without gauges: they stay valid after a process has ended. */
export function sumCounts(snapshots: readonly MetricsSnapshot[]): MetricsSnapshot {
  const counts = snapshots.map((all) => all.filter(({ type }) => type === 'counter' || type === 'histogram'));
  const sums = AggregatorRegistry.aggregate(counts).getMetricsAsArray();
  return sums.map((sum) => ({ ...sum, get: undefined }));
}
