import { randomUUID } from 'node:crypto';
import type { CachedAnswers, CacheResult } from './cache/cached-answers.js';
import { RowError, ServiceError } from './errors.js';
import type { CallContext, Caller } from './inference/batching/call-context.js';
import type { LoadedVersion } from './models/registry/loaded-version.js';
import type { Registry } from './models/registry/registry.js';
import type { Answer, CheckedRequest } from './models/tasks/task.js';
import type { PredictionEvent, Predictions } from './prediction-event.js';

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
  /** Called once the version is chosen, before it runs. */
  readonly onBegun?: (prediction: BegunPrediction) => void;
  /** `bypass`: do not answer from the cache, but store the new answer. `none`: neither read nor store. */
  readonly caching?: 'normal' | 'bypass' | 'none' | undefined;
}

export interface PredictionResult {
  readonly answer: Answer;
  readonly predictionId: string;
  /** Undefined if the cache was not looked up. */
  readonly cache: CacheResult | undefined;
  /** The whole answer as JSON. */
  readonly text: string;
}

/** The checked rows of one request. Each row is a request of its own to the version. */
export interface CheckedRows {
  readonly requests: readonly CheckedRequest[];
  /** Returns the error of the whole request for the failure of one row. */
  explain(failure: unknown, row: number): unknown;
}

export interface RowsResult<Rows extends CheckedRows = CheckedRows> {
  readonly checked: Rows;
  readonly rows: readonly RowResult[];
  readonly textOf: (row: RowResult) => string;
}

export type RowResult = Omit<PredictionResult, 'text'>;

/** A request that holds a lease of its version. */
interface Begun extends Pick<PredictionRequest, 'requestId' | 'keyId' | 'caching'> {
  readonly started: number;
  readonly loaded: LoadedVersion;
  readonly predictionId: string;
  readonly call: CallContext;
}

/** What a client sent, and what its check made of it. */
interface Sent {
  readonly body: unknown;
  readonly checked: CheckedRequest | undefined;
}

type Outcome = Pick<PredictionEvent, 'status' | 'predictionId' | 'latencyMs' | 'cache' | 'timing' | 'answer'>;

interface Answered {
  readonly answer: Answer;
  readonly result?: CacheResult;
}

/** Every prediction passes here: HTTP and the command line both call it. */
export interface Predictor {
  /**
   * Leases a version, checks the body against its features, runs it, and publishes the prediction event.
   * Throws the `ServiceError`s of `Registry.lease`, `Task.check` and `CheckedRequest.answer`.
   */
  predict(request: PredictionRequest, body: unknown): Promise<PredictionResult>;
  /**
   * Like `predict`, for several rows: they share runs, the cache answers the rows that it has, and each row is a
   * prediction with its own id. If a row fails, the whole request fails, and rows that have not begun are not run.
   * `check` reads the rows for the leased version, and throws `invalid_input`.
   */
  predictRows<Rows extends CheckedRows>(
    request: PredictionRequest,
    check: (loaded: LoadedVersion) => Rows,
  ): Promise<RowsResult<Rows>>;
  /** When the last request began, by `performance.now()`; 0 before the first one. */
  readonly lastBegunAt: number;
}

/** Without `cached` every answer is computed. */
export function createPredictor(
  registry: Registry,
  predictions: Predictions,
  cached?: CachedAnswers | undefined,
): Predictor {
  let lastBegunAt = 0;
  return {
    get lastBegunAt() {
      return lastBegunAt;
    },

    async predict(request, body) {
      const begun = begin(request);
      const { loaded, call, predictionId } = begun;
      let checked: CheckedRequest | undefined;
      try {
        checked = loaded.task.check(body);
        const caching = cachingOf(begun);
        const { answer, result: cache }: Answered =
          caching === undefined
            ? { answer: await checked.answer(call) }
            : await caching.cached.answer(checked, call, caching);
        const latencyMs = performance.now() - begun.started;
        publishAnswer(begun, { answer, predictionId, cache }, { body, checked }, latencyMs);
        return { answer, predictionId, cache, text: toText(answer, loaded, predictionId) };
      } catch (error) {
        publishFailure(begun, error, { body, checked });
        throw error;
      } finally {
        loaded.release();
      }
    },

    async predictRows(request, check) {
      const begun = begin(request);
      const { loaded, call } = begun;
      let checked: ReturnType<typeof check> | undefined;
      try {
        checked = check(loaded);
        const caching = cachingOf(begun);
        const compute = (some: readonly CheckedRequest[]) => loaded.task.answerAll(some, call);
        const answers: readonly Answered[] =
          caching === undefined
            ? (await compute(checked.requests)).map((answer) => ({ answer }))
            : await caching.cached.answerAll(checked.requests, compute, caching);
        const rows = answers.map(({ answer, result: cache }, k): RowResult => {
          return { answer, predictionId: k === 0 ? begun.predictionId : randomUUID(), cache };
        });
        const latencyMs = performance.now() - begun.started;
        for (const [k, row] of rows.entries()) {
          const request = checked.requests[k];
          publishAnswer(begun, row, { body: request?.row, checked: request }, latencyMs);
        }
        return { checked, rows, textOf: ({ answer, predictionId }) => toText(answer, loaded, predictionId) };
      } catch (thrown) {
        const error = thrown instanceof RowError ? checked?.explain(thrown.failure, thrown.row) : thrown;
        publishFailure(begun, error, { body: undefined, checked: undefined });
        throw error;
      } finally {
        loaded.release();
      }
    },
  };

  /** Leases the version: the caller must release `loaded`. */
  function begin({ model, version, caller, onBegun, requestId, keyId, caching }: PredictionRequest): Begun {
    const started = performance.now();
    lastBegunAt = started;
    const loaded = registry.lease(model, version);
    const predictionId = randomUUID();
    onBegun?.({ model: loaded.name, version: loaded.version, predictionId });
    return { requestId, keyId, caching, started, loaded, predictionId, call: loaded.createCall(caller) };
  }

  function cachingOf({ loaded, caching = 'normal' }: Begun) {
    if (cached === undefined || !loaded.isCacheable || caching === 'none') return undefined;
    const isShortRun = loaded.executorKind === 'inline';
    const { identity, isCacheForced: isForced } = loaded;
    return { cached, identity, isShortRun, isForced, isBypassed: caching === 'bypass' };
  }

  function publishAnswer(
    begun: Begun,
    { answer, predictionId, cache }: RowResult,
    sent: Sent,
    latencyMs: number,
  ): void {
    publish(begun, sent, { status: 'ok', predictionId, latencyMs, cache, timing: answer.timing, answer });
  }

  function publishFailure(begun: Begun, error: unknown, sent: Sent): void {
    const { predictionId, started } = begun;
    const status = error instanceof ServiceError ? error.code : 'internal';
    publish(begun, sent, { status, predictionId, latencyMs: performance.now() - started });
  }

  function publish({ loaded, requestId, keyId }: Begun, { body, checked }: Sent, outcome: Outcome): void {
    predictions.publish({
      model: loaded.name,
      version: loaded.version,
      status: outcome.status,
      predictionId: outcome.predictionId,
      requestId,
      keyId,
      latencyMs: outcome.latencyMs,
      cache: outcome.cache,
      timing: outcome.timing,
      manifest: loaded.manifest,
      source: 'online',
      body,
      row: checked?.row,
      answer: outcome.answer,
    });
  }
}

function toText(answer: Answer, loaded: LoadedVersion, predictionId: string): string {
  return `{${answer.fieldsJson},${loaded.versionFieldsJson},"prediction_id":"${predictionId}"}`;
}
