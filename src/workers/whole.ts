import type { Metrics } from '../monitoring/metrics.js';
import type { WorkerLink } from './worker-link.js';
import type { Readiness } from './worker-message.js';

/** What the server says of itself, however many processes it is. */
export interface Whole {
  /** The text that Prometheus scrapes. */
  metricsText(): Promise<string>;
  readiness(): Promise<Readiness>;
}

/** What this process knows of itself. */
export interface Own {
  readonly metrics: Metrics;
  readonly isDraining: () => boolean;
  /** Why its models are not enough to be ready. */
  readonly findMissing: () => readonly string[];
}

/**
 * A process that is alone speaks for itself. A worker asks its supervisor, and speaks for itself where that does
 * not answer: `metrics_workers_answered` is then missing.
 */
export function createWhole(own: Own, link: WorkerLink | undefined): Whole {
  const alone: Whole = {
    metricsText: () => own.metrics.text(),
    readiness: async () => ({
      reasons: [...(own.isDraining() ? [drainingReason] : []), ...own.findMissing()],
    }),
  };
  if (link === undefined) return alone;
  link.answerWith({ metrics: () => own.metrics.snapshot(), readiness: own.findMissing });
  return {
    metricsText: async () => (await link.ask('metrics')) ?? alone.metricsText(),
    readiness: async () => (await link.ask('readiness')) ?? alone.readiness(),
  };
}

export const drainingReason = 'the server is draining';
