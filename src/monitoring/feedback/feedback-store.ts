import type { PredictionEvent } from '../../prediction-event.js';
import type { OutcomeShape } from './outcome-shape.js';
import type { VersionCells } from './quality-cells.js';

/** One feedback of a client. `actual` is unchecked. */
export interface FeedbackItem {
  readonly predictionId: string;
  readonly actual: unknown;
}

/**
 * `recorded`: counted now. `already_recorded`: the same was counted before. `conflict`: something else was counted
 * before, and stays. `unknown`: no such prediction is kept for this key. `invalid`: it cannot have happened.
 * `unavailable`: it is not known whether there is such a prediction.
 */
export const feedbackResults = [
  'recorded',
  'already_recorded',
  'conflict',
  'unknown',
  'invalid',
  'unavailable',
] as const;

export interface FeedbackResult {
  readonly result: (typeof feedbackResults)[number];
  /** Left out if the prediction is not known. */
  readonly model?: string;
  /** For the client: what is wrong. */
  readonly reason?: string;
}

/** Keeps predictions until their feedback comes, and sums up the quality of versions. */
export interface FeedbackStore {
  /** Whether all processes have the same predictions and sums. */
  readonly isShared: boolean;
  /** Synchronous, since it runs before the client has its answer. */
  keep(event: PredictionEvent): void;
  /** Judges each feedback of a key by itself; never rejects. */
  join(items: readonly FeedbackItem[], keyId: string | undefined): Promise<readonly FeedbackResult[]>;
  /** The sums of the last window, of one model or of all; undefined if they cannot be read. */
  sums(model?: string): Promise<readonly VersionCells[] | undefined>;
  close(): Promise<void>;
}

export interface FeedbackOptions {
  readonly windowSeconds: number;
  readonly maxPredictions: number;
  /** The shape of a version that has just answered; undefined if it cannot get feedback. */
  readonly shapeOf: (event: PredictionEvent) => OutcomeShape | undefined;
  /** Predictions that could no longer be kept, although their window has not passed. */
  readonly onDrop: (count: number) => void;
  /** Seconds of a monotonic clock. */
  readonly now?: () => number;
}
