import { type Exposition, expose } from '../monitoring/exposition.js';
import type { FeedbackItem, FeedbackResult, FeedbackStore } from '../monitoring/feedback/feedback-store.js';
import type { VersionCells } from '../monitoring/feedback/quality-cells.js';
import type { Metrics } from '../monitoring/metrics.js';
import type { Traffic, TrafficStep } from '../monitoring/traffic/traffic-steps.js';
import type { DriftParts, Readiness } from './messages.js';
import type { WorkerLink } from './worker-link.js';

export interface Cluster {
  /** `accept` is the header of the request. */
  metricsText(accept: string | undefined): Promise<Exposition>;
  readiness(): Promise<Readiness>;
  /** Whether unreadiness will pass without a person: no missing model needs a repair. */
  passes(): boolean;
  /** Clears the cached answers of some versions. Resolves with their number; undefined if a worker did not answer. */
  forget(identities: readonly string[]): Promise<number | undefined>;
  /** Joins feedback with the predictions of all workers; never rejects. */
  join(items: readonly FeedbackItem[], keyId: string | undefined): Promise<readonly FeedbackResult[]>;
  /** The sums of all workers, of one model or of all; undefined if they cannot be read. */
  sums(model?: string): Promise<readonly VersionCells[] | undefined>;
  /** The predictions of the last minutes, of all workers that answer. */
  traffic(): Promise<readonly TrafficStep[]>;
  /** Asks workers for rows of a version; never rejects. Undefined if this process is the only one. */
  readonly askForDrift: ((question: string, without: readonly number[]) => Promise<DriftParts>) | undefined;
}

export interface Own {
  readonly metrics: Metrics;
  readonly isDraining: () => boolean;
  /** Why its models keep it from being ready. `isLasting`: a person must repair it. */
  readonly findMissing: () => readonly { readonly reason: string; readonly isLasting: boolean }[];
  readonly forget: (identities: readonly string[]) => Promise<number>;
  /** Undefined if `FEEDBACK=off`. */
  readonly feedback: FeedbackStore | undefined;
  /** Undefined if `CONSOLE=off`. */
  readonly traffic: Traffic | undefined;
  readonly drift: (question: string) => string;
  readonly workers: number;
}

/** If the supervisor does not answer, a worker reports its own state: `metrics_workers_answered` is missing then. */
export function createCluster(own: Own, link: WorkerLink | undefined): Cluster {
  const listMissing = () => own.findMissing().map(({ reason }) => reason);
  // All processes load the same models: a version that is broken in one is broken in all.
  const passes = () => !own.findMissing().some(({ isLasting }) => isLasting);
  const alone: Cluster = {
    passes,
    metricsText: async (accept) => expose(await own.metrics.snapshot(), accept),
    readiness: async () => ({
      reasons: [...(own.isDraining() ? [drainingReason] : []), ...listMissing()],
    }),
    forget: own.forget,
    join: async (items, keyId) => (await own.feedback?.join(items, keyId)) ?? [],
    sums: async (model) => own.feedback?.sums(model),
    traffic: async () => own.traffic?.steps() ?? [],
    askForDrift: undefined,
  };
  const { feedback } = own;
  if (link === undefined) return alone;
  link.answerWith({
    metrics: () => own.metrics.snapshot(),
    readiness: listMissing,
    forgotten: own.forget,
    feedback: ([question = '']) => {
      const { items, keyId } = JSON.parse(question) as FeedbackQuestion;
      return alone.join(items, keyId);
    },
    drift: ([question = '']) => own.drift(question),
    quality: async ([model]) => (feedback?.isShared === false ? ((await feedback.sums(model)) ?? []) : []),
    traffic: alone.traffic,
  });
  return {
    passes,
    metricsText: async (accept) => {
      const all = await link.ask('metrics');
      return all === undefined ? alone.metricsText(accept) : expose(all, accept);
    },
    readiness: async () => (await link.ask('readiness')) ?? alone.readiness(),
    forget: (identities) => link.ask('forgotten', identities),
    async join(items, keyId) {
      const results = [...(await alone.join(items, keyId))];
      const open = items.flatMap((item, k) => (results[k]?.result === 'unknown' ? [{ item, k }] : []));
      if (open.length === 0 || feedback?.isShared) return results;
      const question: FeedbackQuestion = { items: open.map(({ item }) => item), keyId };
      const found = await link.ask('feedback', [JSON.stringify(question)]);
      for (const [n, { k }] of open.entries()) results[k] = found?.[n] ?? noAnswer;
      return results;
    },
    askForDrift: async (question, without) =>
      (await link.ask('drift', [question, ...without.map(String)])) ?? {
        parts: [own.drift(question)],
        missing: Array.from({ length: own.workers }, (_unused, k) => k + 1).filter(
          (it) => it !== link.number,
        ),
      },
    sums: (model) =>
      feedback?.isShared ? alone.sums(model) : link.ask('quality', model === undefined ? [] : [model]),
    traffic: async () => (await link.ask('traffic')) ?? alone.traffic(),
  };
}

interface FeedbackQuestion {
  readonly items: readonly FeedbackItem[];
  readonly keyId?: string | undefined;
}

export const noAnswer: FeedbackResult = {
  result: 'unavailable',
  reason: 'a process that may have made the prediction does not answer: send it again',
};

export const drainingReason = 'the server is draining';
