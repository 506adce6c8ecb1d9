import type { Metrics } from '../monitoring/metrics.js';
import type { Readiness } from './messages.js';
import type { WorkerLink } from './worker-link.js';

export interface Cluster {
  metricsText(): Promise<string>;
  readiness(): Promise<Readiness>;
  /** Whether unreadiness will pass without a person: no missing model needs a repair. */
  passes(): boolean;
  /** Clears the cached answers of some versions. Resolves with their number; undefined if a worker did not answer. */
  forget(identities: readonly string[]): Promise<number | undefined>;
}

export interface Own {
  readonly metrics: Metrics;
  readonly isDraining: () => boolean;
  /** Why its models keep it from being ready. `isLasting`: a person must repair it. */
  readonly findMissing: () => readonly { readonly reason: string; readonly isLasting: boolean }[];
  readonly forget: (identities: readonly string[]) => Promise<number>;
}

/** If the supervisor does not answer, a worker reports its own state: `metrics_workers_answered` is missing then. */
export function createCluster(own: Own, link: WorkerLink | undefined): Cluster {
  const listMissing = () => own.findMissing().map(({ reason }) => reason);
  // All processes load the same models: a version that is broken in one is broken in all.
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
