import type { CacheResult } from './cache/cached-answers.js';
import type { ErrorCode } from './errors.js';
import type { RunTiming } from './inference/batching/pending-row.js';

/** What the predictor publishes after each answer or failure, once the version that answers is known. */
export interface PredictionEvent {
  readonly model: string;
  readonly version: string;
  /** `ok`, or the code of the error that the asker got. */
  readonly status: 'ok' | ErrorCode;
  readonly predictionId: string;
  readonly requestId: string;
  /** The id of the API key that asked; undefined where none was needed. */
  readonly keyId?: string | undefined;
  /** From the call of `predict` to its answer. */
  readonly latencyMs: number;
  /** Whether the answer was remembered; undefined where it was not looked for. */
  readonly cache?: CacheResult | undefined;
  /** Undefined for a failure, and where the answer was not computed for this request. */
  readonly timing?: RunTiming | undefined;
}

export type Subscriber = (event: PredictionEvent) => void;

/** The way from the predictor to those who watch it: metrics, log, drift, shadow. */
export interface Predictions {
  publish(event: PredictionEvent): void;
  subscribe(subscriber: Subscriber): void;
}

/** `onFault` is told what a subscriber throws, and what its promise is rejected with: watching never costs an answer. */
export function createPredictions(onFault: (error: unknown) => void): Predictions {
  const subscribers: Subscriber[] = [];
  return {
    publish(event) {
      for (const subscriber of subscribers) {
        try {
          // An asynchronous function is a subscriber too: nobody else would catch its rejection.
          const result: unknown = subscriber(event);
          if (result instanceof Promise) result.catch(onFault);
        } catch (error) {
          onFault(error);
        }
      }
    },
    subscribe(subscriber) {
      subscribers.push(subscriber);
    },
  };
}
