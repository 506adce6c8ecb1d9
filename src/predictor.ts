import { randomUUID } from 'node:crypto';
import type { CachedAnswers, CacheResult } from './cache/cached-answers.js';
import { RowError, ServiceError } from './errors.js';
import type { Caller } from './inference/batching/caller.js';
import type { LoadedModel } from './models/loaded-model.js';
import type { Registry } from './models/registry.js';
import type { Answer, CheckedRequest } from './models/task.js';
import type { PredictionEvent, Predictions } from './predictions.js';

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

/** The rows of one request, each past its check: a request of its own to the version. */
export interface CheckedRows {
  readonly requests: readonly CheckedRequest[];
  /** The error of the whole request for the failure of one row. */
  explain(failure: unknown, row: number): unknown;
}

export interface RowsRequest<Rows extends CheckedRows> extends Omit<PredictionRequest, 'body'> {
  /** Reads the rows as the version that answers takes them. Throws `invalid_input`. */
  readonly check: (loaded: LoadedModel) => Rows;
}

export interface RowsResult<Rows extends CheckedRows = CheckedRows> {
  readonly checked: Rows;
  /** One a row, in the rows' order. */
  readonly rows: readonly RowResult[];
  /** The whole answer of a row as JSON text. */
  readonly textOf: (row: RowResult) => string;
}

export type RowResult = Omit<PredictionResult, 'text'>;

/** The one way to a prediction: HTTP, batch jobs and the command line all call it. */
export interface Predictor {
  /**
   * Chooses a version, borrows it, checks the body by its features, runs it, and publishes what came of it.
   * Throws the `ServiceError` of whatever went wrong; see `Registry.lease` and `Task.answer`.
   */
  predict(request: PredictionRequest): Promise<PredictionResult>;
  /**
   * The same for several rows: they share runs, the cache answers those that it knows, and each is a prediction with an
   * id of its own. Once one has failed the request has failed, and what has not begun is not run.
   */
  predictRows<Rows extends CheckedRows>(request: RowsRequest<Rows>): Promise<RowsResult<Rows>>;
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
        publishFailure(error, loaded, { predictionId, requestId, keyId, started });
        throw error;
      } finally {
        loaded.release();
      }
    },

    async predictRows({ model, version, check, requestId, keyId, caller, onBegun, caching = 'normal' }) {
      const started = performance.now();
      const loaded = registry.lease(model, version);
      const firstId = randomUUID();
      onBegun?.({ model: loaded.name, version: loaded.version, predictionId: firstId });
      const { identity, executorKind, task } = loaded;
      let checked: ReturnType<typeof check> | undefined;
      try {
        checked = check(loaded);
        const { requests } = checked;
        const answerAll = (some: typeof requests) => task.answerAll(some, caller);
        const isShortRun = executorKind === 'inline';
        const isBypassed = caching === 'bypass';
        const answers: readonly { readonly answer: Answer; readonly result?: CacheResult }[] =
          cached === undefined || !loaded.isCacheable || caching === 'none'
            ? (await answerAll(requests)).map((answer) => ({ answer }))
            : await cached.answerAll({ identity, requests, answerAll, isShortRun, isBypassed });
        const rows = answers.map(
          ({ answer, result: cache }, k): RowResult => ({
            answer,
            predictionId: k === 0 ? firstId : randomUUID(),
            cache,
          }),
        );
        const latencyMs = performance.now() - started;
        for (const { answer, predictionId, cache } of rows) {
          predictions.publish({
            model: loaded.name,
            version: loaded.version,
            status: 'ok',
            predictionId,
            requestId,
            keyId,
            latencyMs,
            cache,
            queueMs: answer.queueMs,
            runMs: answer.runMs,
            batchRows: answer.batchRows,
            batchIndex: answer.batchIndex,
          });
        }
        return { checked, rows, textOf: ({ answer, predictionId }) => toText(answer, loaded, predictionId) };
      } catch (thrown) {
        const error = thrown instanceof RowError ? checked?.explain(thrown.failure, thrown.row) : thrown;
        publishFailure(error, loaded, { predictionId: firstId, requestId, keyId, started });
        throw error;
      } finally {
        loaded.release();
      }
    },
  };

  function publishFailure(
    error: unknown,
    { name, version }: LoadedModel,
    asked: Pick<PredictionEvent, 'predictionId' | 'requestId' | 'keyId'> & { readonly started: number },
  ): void {
    const { started, ...ids } = asked;
    const status = error instanceof ServiceError ? error.code : 'internal';
    predictions.publish({ model: name, version, status, ...ids, latencyMs: performance.now() - started });
  }
}

function toText(answer: Answer, loaded: LoadedModel, predictionId: string): string {
  return `{${answer.members},${loaded.origin},"prediction_id":"${predictionId}"}`;
}
