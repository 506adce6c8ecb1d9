import type { Caller } from './inference/batching/call-context.js';

/** The span of a request, as W3C Trace Context names it. */
export interface Trace {
  /** 32 hexadecimal digits; the span has 16. */
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
  /** The span of the caller. */
  readonly parentId: string | undefined;
  /** `tracestate` of the caller. */
  readonly state: string | undefined;
  /** `traceparent` for what this request causes. */
  readonly header: string;
}

export interface BegunPrediction {
  readonly model: string;
  readonly version: string;
  readonly predictionId: string;
}

export interface PredictionRequest {
  /** Name or alias. By default the model of `/predict`. */
  readonly model?: string | undefined;
  /** Name or alias. By default the default version of the model. */
  readonly version?: string | undefined;
  readonly requestId: string;
  /** The id of the client's API key, for the prediction event. */
  readonly keyId?: string | undefined;
  readonly caller: Caller;
  /** By default `online`. */
  readonly source?: 'online' | 'console' | undefined;
  /** Undefined without traces. */
  readonly trace?: Trace | undefined;
  /** When the parser began to read the body, by `performance.now()`. By default, when `predict` is called. */
  readonly parsedSince?: number | undefined;
  /** Called once the version is chosen, before it runs. */
  readonly onBegun?: (prediction: BegunPrediction) => void;
  /** `bypass`: do not answer from the cache, but store the new answer. `none`: neither read nor store. */
  readonly caching?: 'normal' | 'bypass' | 'none' | undefined;
}
