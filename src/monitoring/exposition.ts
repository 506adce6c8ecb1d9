import { type Metric, Registry as PromRegistry, type RegistryContentType } from 'prom-client';
import { createPauses } from '../time/slices.js';
import type { MetricsSnapshot } from './metrics.js';

/** Predictions wait for one slice, or for one family of many series. With 40 models all families take 20 ms. */
export const scrapeSliceMs = 2;

/** The text of all series in a format that a scraper understands. */
export interface Exposition {
  readonly contentType: string;
  readonly text: string;
}

/**
 * Writes OpenMetrics 1.0, with exemplars, if the header `accept` names it; otherwise the text format of Prometheus
 * 0.0.4. Every Prometheus accepts both, and OpenMetrics alone has exemplars.
 */
export async function expose(snapshot: MetricsSnapshot, accept: string | undefined): Promise<Exposition> {
  const isOpen = accept?.includes('application/openmetrics-text') === true;
  const registry = new PromRegistry<RegistryContentType>();
  if (isOpen) registry.setContentType(PromRegistry.OPENMETRICS_CONTENT_TYPE);
  const names = new Set(snapshot.map(({ name }) => name));
  for (const metric of snapshot) {
    const it = isOpen && metric.type === 'counter' ? toOpenCounter(metric, names) : metric;
    registry.registerMetric({ ...it, get: () => it } as unknown as Metric);
  }
  // Not `metrics`, which writes all families at once.
  const families: string[] = [];
  const pause = createPauses(scrapeSliceMs);
  for (const { name } of registry.getMetricsAsArray()) {
    families.push(await registry.getSingleMetricAsString(name));
    await pause();
  }
  const text = isOpen ? `${families.join('\n')}\n# EOF\n` : `${families.join('\n\n')}\n`;
  return { contentType: registry.contentType, text };
}

/**
 * In OpenMetrics the family of a counter has no `_total`, and its series have: prom-client 15 adds it to the series only.
 * A counter whose family would have the name of a gauge, such as `batch_jobs_total`, has the type `unknown` there.
 */
function toOpenCounter(metric: MetricsSnapshot[number], names: ReadonlySet<string>) {
  const name = metric.name.replace(/_total$/, '');
  return names.has(name) ? { ...metric, type: 'unknown' } : { ...metric, name };
}
