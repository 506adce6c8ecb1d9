import { collectDefaultMetrics, type Metric, Registry as PromRegistry } from 'prom-client';
import { createHistogram, type Histogram } from './histogram.js';

export type Labels = Readonly<Record<string, string>>;

/** A family of series under one name; `series` gives the one with these label values, made at its first use. */
export interface Family<T> {
  series(labels: Labels): T;
}

export interface Counter {
  add(amount: number): void;
}

export interface Gauge {
  set(value: number): void;
}

/** The metrics of one server, and the text that Prometheus scrapes. Times are in seconds. */
export interface Metrics {
  counter(name: string, help: string): Family<Counter>;
  gauge(name: string, help: string): Family<Gauge>;
  histogram(name: string, help: string, bounds: readonly number[]): Family<Histogram>;
  readonly contentType: string;
  text(): Promise<string>;
  close(): void;
}

interface Sample {
  readonly labels: Labels;
  readonly value: number;
  readonly metricName?: string;
}

/**
 * Series are counted in plain numbers of our own and turned into Prometheus text by prom-client when it is
 * asked for: this is the one file that knows prom-client.
 */
export function createMetrics(): Metrics {
  const registry = new PromRegistry();
  collectDefaultMetrics({ register: registry });

  const family = <T>(
    name: string,
    help: string,
    type: string,
    create: () => T,
    toSamples: (it: T, labels: Labels) => Sample[],
  ) => {
    const all = new Map<string, { labels: Labels; it: T }>();
    const metric = {
      name,
      help,
      type,
      aggregator: 'sum',
      get: async () => ({
        name,
        help,
        type,
        aggregator: 'sum',
        values: [...all.values()].flatMap(({ labels, it }) => toSamples(it, labels)),
      }),
      reset: () => all.clear(),
    };
    // prom-client asks its metrics for no more than this.
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
    };
  };

  return {
    counter: (name, help) => family(name, help, 'counter', createCell, toSample),
    gauge: (name, help) => family(name, help, 'gauge', createCell, toSample),
    histogram: (name, help, bounds) =>
      family(
        name,
        help,
        'histogram',
        () => createHistogram(bounds),
        (it, labels) => toBuckets(name, bounds, it, labels),
      ),
    contentType: registry.contentType,
    text: () => registry.metrics(),
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
    })),
    { labels: { ...labels, le: '+Inf' }, value: count, metricName: `${name}_bucket` },
    { labels, value: histogram.sum, metricName: `${name}_sum` },
    { labels, value: count, metricName: `${name}_count` },
  ];
}
