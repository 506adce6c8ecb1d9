import type { Metrics } from '../monitoring/metrics.js';
import type { Readiness } from './messages.js';
import type { WorkerLink } from './worker-link.js';

/** What the server says of itself, however many processes it is. */
export interface Cluster {
  /** The text that Prometheus scrapes. */
  metricsText(): Promise<string>;
  readiness(): Promise<Readiness>;
  /** Whether what keeps traffic away passes by itself: no model is missing that a person must mend. */
  passes(): boolean;
  /**
   * Forgets in all processes what they remember of some versions, and gives how much that was; undefined where one of
   * them has not answered.
   */
  forget(identities: readonly string[]): Promise<number | undefined>;
}

/** What this process knows of itself. */
export interface Own {
  readonly metrics: Metrics;
  readonly isDraining: () => boolean;
  /** Why its models are not enough to be ready, and of each whether a person must mend it. */
  readonly findMissing: () => readonly { readonly reason: string; readonly isLasting: boolean }[];
  /** Forgets what this process remembers of some versions, and gives how much that was. */
  readonly forget: (identities: readonly string[]) => Promise<number>;
}

/**
 * A process that is alone speaks for itself. A worker asks its supervisor, and speaks for itself where that does
 * not answer: `metrics_workers_answered` is then missing.
 */
export function createCluster(own: Own, link: WorkerLink | undefined): Cluster {
  const listMissing = () => own.findMissing().map(({ reason }) => reason);
  // All processes have the same models: what one cannot answer with, none can.
  const passes = () => !own.findMissing().some(({ isLasting }) => isLasting);
  const alone: Cluster = {
    passes,
    metricsText: () => own.metrics.text(),
    readiness: async () => ({
      reasons: [...(own.isDraining() ? [drainingReason] : []), ...listMissing()],
    }),
    forget: own.forget,
  };
  if (link === undefined) return alone;
  link.answerWith({
    metrics: () => own.metrics.snapshot(),
    readiness: listMissing,
    forgotten: own.forget,
  });
  return {
    passes,
    metricsText: async () => (await link.ask('metrics')) ?? alone.metricsText(),
    readiness: async () => (await link.ask('readiness')) ?? alone.readiness(),
    forget: (identities) => link.ask('forgotten', identities),
  };
}

export const drainingReason = 'the server is draining';
