import type { CacheResult } from './cache/cached-answers.js';
import type { ErrorCode } from './errors.js';
import type { RunTiming } from './inference/batching/pending-row.js';
import type { Manifest } from './models/manifest/manifest.js';
import type { Answer, FeatureRow } from './models/tasks/task.js';
import type { Trace } from './prediction-request.js';

/**
 * Published by the predictor after each answer or failure, unless no version was found for the request. It is published
 * before the client has the answer: a subscriber that keeps work for later must copy what it needs.
 */
export interface PredictionEvent {
  readonly model: string;
  readonly version: string;
  /** `ok`, or the code of the error that the client got. */
  readonly status: 'ok' | ErrorCode;
  readonly predictionId: string;
  readonly requestId: string;
  /** The id of the client's API key; undefined if none was needed. */
  readonly keyId?: string | undefined;
  /** The span of the request; undefined without traces, and for rows of batches. */
  readonly trace?: Trace | undefined;
  /** When the parser began to read the body, or `predict` was called without one. All times are by `performance.now()`. */
  readonly since: number;
  /** When the check accepted the body: the first row of a request has it, and rows of batches have none. */
  readonly checkedAt?: number | undefined;
  /** When the text of the answer was complete; undefined for a failure, and for a row of a request with several rows. */
  readonly encodedAt?: number | undefined;
  /** From the call of `predict` to the text of its answer. */
  readonly latencyMs: number;
  /** Undefined if the cache was not looked up. */
  readonly cache?: CacheResult | undefined;
  /** Undefined for a failure, and if the answer was not computed for this request. */
  readonly timing?: RunTiming | undefined;
  readonly manifest: Manifest;
  /**
   * `batch`: a row of a batch that was answered at once; `job`: a row of a batch job; `console`: a row that a person
   * tries on the page at `/`, which says nothing about the traffic; `online`: any other row.
   */
  readonly source: 'online' | 'console' | 'batch' | 'job';
  /** The parsed body of the request, or the row of a batch. Hostile where `row` is undefined. */
  readonly body: unknown;
  /** The features, with their defaults. Undefined for the task `tensor`, and if the check refused the body. */
  readonly row?: FeatureRow | undefined;
  /** Undefined for a failure. */
  readonly answer?: Answer | undefined;
}

/** Rows of a job that another process has predicted: in place of an event for each. */
export interface RowCounts {
  /** Rows by status: see `PredictionEvent.status`. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly runs: readonly { readonly queueMs: number; readonly runMs: number; readonly rows: number }[];
}

export type Subscriber = (event: PredictionEvent) => void;
type CountSubscriber = (of: { readonly name: string; readonly version: string }, counts: RowCounts) => void;

export interface SubscriberNeeds {
  /** The rows of jobs are predicted in this process, so that each has an event. */
  readonly needsJobRows?: boolean;
  /** Whether the subscriber needs time before it can take many more events. */
  readonly isBehind?: () => boolean;
}

export interface Predictions {
  publish(event: PredictionEvent): void;
  subscribe(subscriber: Subscriber, needs?: SubscriberNeeds): void;
  readonly needsJobRows: boolean;
  /** Whether a subscriber is behind: rows of batches and of jobs wait. */
  readonly isBehind: boolean;
  /** Publishes rows of a version that another process has predicted. */
  readonly count: CountSubscriber;
  subscribeCounts(subscriber: CountSubscriber): void;
}

/** `onFault` gets errors and rejections of subscribers, so that a broken subscriber never costs an answer. */
export function createPredictions(onFault: (error: unknown) => void): Predictions {
  const subscribers: Subscriber[] = [];
  const countSubscribers: CountSubscriber[] = [];
  const behind: (() => boolean)[] = [];
  let needsJobRows = false;
  return {
    get needsJobRows() {
      return needsJobRows;
    },
    get isBehind() {
      return behind.some((isBehind) => isBehind());
    },
    count(of, counts) {
      for (const subscriber of countSubscribers) subscriber(of, counts);
    },
    subscribeCounts(subscriber) {
      countSubscribers.push(subscriber);
    },
    publish(event) {
      for (const subscriber of subscribers) {
        try {
          // A subscriber may be an async function: its rejection must be caught here.
          const result: unknown = subscriber(event);
          if (result instanceof Promise) result.catch(onFault);
        } catch (error) {
          onFault(error);
        }
      }
    },
    subscribe(subscriber, needs) {
      subscribers.push(subscriber);
      needsJobRows ||= needs?.needsJobRows === true;
      if (needs?.isBehind !== undefined) behind.push(needs.isBehind);
    },
  };
}
