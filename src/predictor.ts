import { randomUUID } from 'node:crypto';
import type { CachedAnswers, CacheResult } from './cache/cached-answers.js';
import { type ErrorCode, ServiceError } from './errors.js';
import type { Caller } from './inference/batching/caller.js';
import type { LoadedModel } from './models/loaded-model.js';
import type { Registry } from './models/registry.js';
import type { Answer } from './models/task.js';
import type { Predictions } from './predictions.js';

/** A prediction that some version has begun to answer. */
export interface BegunPrediction {
  readonly model: string;
  readonly version: string;
  readonly predictionId: string;
}

export interface PredictionRequest {
  /** By name or alias; left out, the model that plain `/predict` means. */
  readonly model?: string;
  /** By name or alias; left out, the version that the model's routing gives. */
  readonly version?: string;
  /** The parsed body: nothing about it is known yet. */
  readonly body: unknown;
  readonly requestId: string;
  /** The id of the API key that asks, for those who watch. */
  readonly keyId?: string | undefined;
  readonly caller: Caller;
  /** Called once it is known which version answers, whatever comes of it. */
  readonly onBegun?: (prediction: BegunPrediction) => void;
  /** Whether an answer that is remembered will do, whether one must be new, or whether none may be kept at all. */
  readonly caching?: 'normal' | 'bypass' | 'none';
}

export interface PredictionResult {
  readonly answer: Answer;
  readonly predictionId: string;
  /** Undefined where nothing of the kind was looked for. */
  readonly cache: CacheResult | undefined;
  /** The whole answer as JSON text. */
  readonly text: string;
}

/** The one way to a prediction: HTTP, batch jobs and the command line all call it. */
export interface Predictor {
  /**
   * Chooses a version, borrows it, checks the body by its features, runs it, and publishes what came of it.
   * Throws the `ServiceError` of whatever went wrong; see `Registry.lease` and `Task.answer`.
   */
  predict(request: PredictionRequest): Promise<PredictionResult>;
}

/** Without `cached` every answer is computed. */
export function createPredictor(
  registry: Registry,
  predictions: Predictions,
  cached?: CachedAnswers | undefined,
): Predictor {
  return {
    async predict({ model, version, body, requestId, keyId, caller, onBegun, caching = 'normal' }) {
      const started = performance.now();
      const loaded = registry.lease(model, version);
      const predictionId = randomUUID();
      onBegun?.({ model: loaded.name, version: loaded.version, predictionId });
      try {
        let answer: Answer;
        let cache: CacheResult | undefined;
        if (cached === undefined || !loaded.isCacheable || caching === 'none') {
          answer = await loaded.task.answer(body, caller);
        } else {
          const { identity, timeoutMs, executorKind } = loaded;
          const isShortRun = executorKind === 'inline';
          const request = loaded.task.check(body);
          const isBypassed = caching === 'bypass';
          const asked = { identity, timeoutMs, isShortRun, request, caller, isBypassed };
          ({ answer, result: cache } = await cached.answer(asked));
        }
        predictions.publish({
          model: loaded.name,
          version: loaded.version,
          status: 'ok',
          predictionId,
          requestId,
          keyId,
          latencyMs: performance.now() - started,
          cache,
          queueMs: answer.queueMs,
          runMs: answer.runMs,
          batchRows: answer.batchRows,
          batchIndex: answer.batchIndex,
        });
        return { answer, predictionId, cache, text: toText(answer, loaded, predictionId) };
      } catch (error) {
        const status: ErrorCode = error instanceof ServiceError ? error.code : 'internal';
        const latencyMs = performance.now() - started;
        predictions.publish({
          model: loaded.name,
          version: loaded.version,
          status,
          predictionId,
          requestId,
          keyId,
          latencyMs,
        });
        throw error;
      } finally {
        loaded.release();
      }
    },
  };
}

function toText(answer: Answer, loaded: LoadedModel, predictionId: string): string {
  return `{${answer.members},${loaded.origin},"prediction_id":"${predictionId}"}`;
}
