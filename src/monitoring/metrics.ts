import { collectDefaultMetrics, type Metric, Registry as PromRegistry } from 'prom-client';
import { createHistogram, type Exemplar, type Histogram } from './histogram.js';
import { createSourceGuard, type OnSourceFailure } from './source-guard.js';

export type Labels = Readonly<Record<string, string>>;

/** All series under one name. `series` returns the one with these label values, and creates it at its first use. */
export interface Family<T> {
  series(labels: Labels): T;
  /** Ends a series: it is in no later scrape. */
  remove(labels: Labels): void;
}

export interface Counter {
  add(amount: number): void;
}

export interface Gauge {
  set(value: number): void;
}

/** Times are in seconds. */
export interface Metrics {
  counter(name: string, help: string): Family<Counter>;
  /** A counter that other code keeps: `read` is called at each scrape. */
  counterOf(name: string, help: string, read: () => number): void;
  gauge(name: string, help: string): Family<Gauge>;
  /** A gauge that other code keeps, likewise. */
  gaugeOf(name: string, help: string, read: () => number): void;
  histogram(name: string, help: string, bounds: readonly number[]): Family<Histogram>;
  /** `update` runs before each scrape, and must end soon. If it rejects, the scrape goes on without it. */
  beforeScrape(source: string, update: () => Promise<void>): void;
  /** The series of this process alone, in the text format of Prometheus. */
  text(): Promise<string>;
  /** All series as plain values, for another process to add up. */
  snapshot(): Promise<MetricsSnapshot>;
  close(): void;
}

/** In prom-client's own form. */
export type MetricsSnapshot = readonly { readonly name: string; readonly type: unknown }[];

interface Sample {
  readonly labels: Labels;
  readonly value: number;
  readonly metricName?: string;
  readonly exemplar?: object | undefined;
}

interface MetricsOptions {
  /** Whether it has the metrics of Node.js too. The default is true. */
  readonly includesProcess?: boolean;
  readonly onFailure?: OnSourceFailure;
}

/** Counts in plain numbers; prom-client turns them into text at each scrape. Beside exposition.ts and metric-sums.ts, the one file that imports prom-client. */
export function createMetrics({ includesProcess = true, onFailure }: MetricsOptions = {}): Metrics {
  const registry = new PromRegistry();
  const guard = createSourceGuard(onFailure);
  const updates: (() => Promise<unknown>)[] = [];
  const update = () => Promise.all(updates.map((it) => it()));
  const gauges = new Map<string, Family<Gauge>>();
  const counters = new Map<string, Family<Counter>>();
  if (includesProcess) collectDefaultMetrics({ register: registry });

  const family = <T>(
    name: string,
    help: string,
    type: 'counter' | 'gauge' | 'histogram',
    create: () => T,
    toSamples: (it: T, labels: Labels) => Sample[],
  ) => {
    const all = new Map<string, { labels: Labels; it: T }>();
    // Over several processes counts are added. A gauge, such as a loaded version, is the same in all of them.
    const aggregator = type === 'gauge' ? 'max' : 'sum';
    const metric = {
      name,
      help,
      type,
      aggregator,
      get: async () => ({
        name,
        help,
        type,
        aggregator,
        values:
          (await guard(name, () => [...all.values()].flatMap(({ labels, it }) => toSamples(it, labels)))) ??
          [],
      }),
      reset: () => all.clear(),
    };
    // prom-client uses only these members of a metric.
    registry.registerMetric(metric as unknown as Metric);
    return {
      series(labels: Labels): T {
        const key = JSON.stringify(labels);
        const known = all.get(key);
        if (known !== undefined) return known.it;
        const it = create();
        all.set(key, { labels, it });
        return it;
      },
      remove(labels: Labels): void {
        all.delete(JSON.stringify(labels));
      },
    };
  };

  const familyOf = (name: string, help: string, type: 'counter' | 'gauge', read: () => number): void => {
    const toSamples = (_it: unknown, labels: Labels) => [{ labels, value: read() }];
    family(name, help, type, () => null, toSamples).series({});
  };

  return {
    // Several parts of the server may show series of one counter or gauge.
    counter(name, help) {
      const known = counters.get(name) ?? family(name, help, 'counter', createCell, toSample);
      counters.set(name, known);
      return known;
    },
    counterOf: (name, help, read) => familyOf(name, help, 'counter', read),
    gauge(name, help) {
      const known = gauges.get(name) ?? family(name, help, 'gauge', createCell, toSample);
      gauges.set(name, known);
      return known;
    },
    gaugeOf: (name, help, read) => familyOf(name, help, 'gauge', read),
    histogram: (name, help, bounds) =>
      family(
        name,
        help,
        'histogram',
        () => createHistogram(bounds),
        (it, labels) => toBuckets(name, bounds, it, labels),
      ),
    beforeScrape: (source, it) => void updates.push(() => guard(source, it)),
    async text() {
      await update();
      return registry.metrics();
    },
    async snapshot() {
      await update();
      // At once: the families of a scrape are of one instant, and two scrapes do not take the lag of the event loop from
      // each other. That takes a third of the time of a scrape; its text is written in slices.
      return registry.getMetricsAsJSON();
    },
    close: () => registry.clear(),
  };
}

interface Cell extends Counter, Gauge {
  readonly value: number;
}

function createCell(): Cell {
  let value = 0;
  return {
    add: (amount) => {
      value += amount;
    },
    set: (next) => {
      value = next;
    },
    get value() {
      return value;
    },
  };
}

function toSample({ value }: Cell, labels: Labels): Sample[] {
  return [{ labels, value }];
}

function toBuckets(name: string, bounds: readonly number[], histogram: Histogram, labels: Labels): Sample[] {
  const cumulative = histogram.cumulative();
  const count = cumulative[bounds.length] as number;
  return [
    ...bounds.map((bound, k) => ({
      labels: { ...labels, le: String(bound) },
      value: cumulative[k] as number,
      metricName: `${name}_bucket`,
      exemplar: toExemplar(histogram.exemplars[k]),
    })),
    {
      labels: { ...labels, le: '+Inf' },
      value: count,
      metricName: `${name}_bucket`,
      exemplar: toExemplar(histogram.exemplars[bounds.length]),
    },
    { labels, value: histogram.sum, metricName: `${name}_sum` },
    { labels, value: count, metricName: `${name}_count` },
  ];
}

/** In prom-client's form. */
function toExemplar(exemplar: Exemplar | undefined) {
  if (exemplar === undefined) return undefined;
  const { traceId, value, atMs } = exemplar;
  return { labelSet: { trace_id: traceId }, value, timestamp: atMs / 1_000 };
}
