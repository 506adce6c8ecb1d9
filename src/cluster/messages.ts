import type { MetricsSnapshot } from '../monitoring/metrics.js';

/** What there is to say about a server whose models are loaded. */
export interface StartSummary {
  readonly url: string;
  readonly lines: readonly string[];
}

/** What the supervisor may ask a worker about itself. */
export interface WorkerFacts {
  readonly metrics: MetricsSnapshot;
  /** Why its models are not enough to be ready; none where they are. */
  readonly readiness: readonly string[];
  /** How many answers it remembered of some versions, which it has forgotten now. */
  readonly forgotten: number;
}

/** What a worker may ask the supervisor about all of them. */
export interface ClusterFacts {
  /** The text that Prometheus scrapes. */
  readonly metrics: string;
  readonly readiness: Readiness;
  /** Undefined where a worker has not answered. */
  readonly forgotten: number | undefined;
}

export interface Readiness {
  /** What keeps traffic away; none where it may come. */
  readonly reasons: readonly string[];
  /** Left out by a process that is alone. */
  readonly workers?: { readonly running: number; readonly wanted: number };
}

export type Subject = keyof WorkerFacts & keyof ClusterFacts;

/** A question; of `forgotten`, about which versions, by their identities. */
export interface Question {
  readonly kind: 'ask';
  readonly id: number;
  readonly subject: Subject;
  readonly about?: readonly string[] | undefined;
}

/** From a worker to its supervisor. */
export type WorkerMessage =
  | { readonly kind: 'listening'; readonly url: string }
  | { readonly kind: 'loaded'; readonly summary: StartSummary }
  | { readonly kind: 'failed'; readonly lines: readonly string[] }
  | Question
  | { readonly kind: 'answer'; readonly id: number; readonly facts: WorkerFacts[Subject] };

/** From the supervisor to a worker. */
export type SupervisorMessage =
  | Question
  /** Files are to be read again: SIGHUP by another way, which ends no worker that is only starting. */
  | { readonly kind: 'reload' }
  | { readonly kind: 'answer'; readonly id: number; readonly facts: ClusterFacts[Subject] };
