import type { FeedbackResult } from '../monitoring/feedback/feedback-store.js';
import type { VersionCells } from '../monitoring/feedback/quality-cells.js';
import type { MetricsSnapshot } from '../monitoring/metrics.js';
import type { TrafficStep } from '../monitoring/traffic/traffic-steps.js';

export interface StartSummary {
  readonly url: string;
  readonly lines: readonly string[];
}

export interface WorkerFacts {
  readonly metrics: MetricsSnapshot;
  /** Why its models keep it from being ready; empty if it is ready. */
  readonly readiness: readonly string[];
  /** The number of cached answers that it cleared. */
  readonly forgotten: number;
  /** The results of the feedback for its own predictions. */
  readonly feedback: readonly FeedbackResult[];
  /** Its own sums; empty if Redis keeps those of all. */
  readonly quality: readonly VersionCells[];
  readonly traffic: readonly TrafficStep[];
  /** Recent rows of a version, or their counts, as a text; empty if it does not watch the version. */
  readonly drift: string;
}

export interface ClusterFacts {
  readonly metrics: MetricsSnapshot;
  readonly readiness: Readiness;
  /** Undefined if a worker did not answer. */
  readonly forgotten: number | undefined;
  /** `unavailable` if the prediction may be one of a worker that did not answer. */
  readonly feedback: readonly FeedbackResult[];
  /** Undefined if a worker did not answer. */
  readonly quality: readonly VersionCells[] | undefined;
  readonly traffic: readonly TrafficStep[];
  readonly drift: DriftParts;
}

export interface DriftParts {
  /** Of the workers that answered. */
  readonly parts: readonly string[];
  /** The numbers of listening workers that did not answer. */
  readonly missing: readonly number[];
}

export interface Readiness {
  readonly reasons: readonly string[];
  /** Left out by a single process. */
  readonly workers?: { readonly running: number; readonly wanted: number };
}

export type Subject = keyof WorkerFacts & keyof ClusterFacts;

/**
 * How long a worker may take for an answer, in ms; 500 for the others. The drift of a version may wait: a worker that is
 * busy with a large request, or with another version, answers later.
 */
export const patienceMs: { readonly [S in Subject]?: number } = { drift: 3_000 };

/**
 * `about`: of `forgotten` the identities of the versions; of `feedback` a JSON text; of `quality` the model, or nothing
 * for all; of `drift` a JSON text, and then the numbers of the workers that are not to be asked.
 */
export interface Question {
  readonly kind: 'ask';
  readonly id: number;
  readonly subject: Subject;
  readonly about?: readonly string[] | undefined;
}

export type WorkerMessage =
  | { readonly kind: 'listening'; readonly url: string }
  | { readonly kind: 'loaded'; readonly summary: StartSummary }
  | { readonly kind: 'failed'; readonly lines: readonly string[] }
  | Question
  | { readonly kind: 'answer'; readonly id: number; readonly facts: WorkerFacts[Subject] };

export type SupervisorMessage =
  | Question
  /** Read files again. SIGHUP itself would end a worker that is still starting. */
  | { readonly kind: 'reload' }
  | { readonly kind: 'answer'; readonly id: number; readonly facts: ClusterFacts[Subject] };
