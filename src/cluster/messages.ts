import type { MetricsSnapshot } from '../monitoring/metrics.js';

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
}

export interface ClusterFacts {
  readonly metrics: string;
  readonly readiness: Readiness;
  /** Undefined if a worker did not answer. */
  readonly forgotten: number | undefined;
}

export interface Readiness {
  readonly reasons: readonly string[];
  /** Left out by a single process. */
  readonly workers?: { readonly running: number; readonly wanted: number };
}

export type Subject = keyof WorkerFacts & keyof ClusterFacts;

/** For the subject `forgotten`, `about` lists the identities of the versions. */
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
