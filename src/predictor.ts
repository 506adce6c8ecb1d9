import { randomUUID } from 'node:crypto';
import type { CachedAnswers, CacheResult } from './cache/cached-answers.js';
import { RowError, ServiceError } from './errors.js';
import type { CallContext } from './inference/batching/call-context.js';
import type { LoadedVersion } from './models/registry/loaded-version.js';
import type { Registry } from './models/registry/registry.js';
import type { Answer, CheckedRequest } from './models/tasks/task.js';
import type { PredictionEvent, Predictions } from './prediction-event.js';
import type { PredictionRequest } from './prediction-request.js';

export type { BegunPrediction, PredictionRequest } from './prediction-request.js';

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

type CheckOf<Rows> = (loaded: LoadedVersion) => Rows | Promise<Rows>;

export type RowResult = Omit<PredictionResult, 'text'>;

/** A request that holds a lease of its version. */
interface Begun extends Pick<PredictionRequest, 'requestId' | 'keyId' | 'caching' | 'trace' | 'source'> {
  readonly started: number;
  readonly since: number;
  readonly loaded: LoadedVersion;
  readonly predictionId: string;
  readonly call: CallContext;
}

/** What a client sent, and what its check made of it. */
interface Sent {
  readonly body: unknown;
  readonly checked: CheckedRequest | undefined;
  readonly checkedAt: number | undefined;
}

type Outcome = Pick<
  PredictionEvent,
  'status' | 'predictionId' | 'latencyMs' | 'encodedAt' | 'cache' | 'timing' | 'answer'
>;

type Answered = { readonly answer: Answer; readonly result?: CacheResult };

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
   * `check` reads the rows for the leased version, and throws `invalid_input`, or the refusal of a limit.
   */
  predictRows<Rows extends CheckedRows>(
    request: PredictionRequest,
    check: CheckOf<Rows>,
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
      let checkedAt: number | undefined;
      try {
        checked = loaded.task.check(body);
        checkedAt = performance.now();
        const caching = cachingOf(begun);
        const { answer, result: cache }: Answered =
          caching === undefined
            ? { answer: await checked.answer(call) }
            : await caching.cached.answer(checked, call, caching);
        const text = toText(answer, loaded, predictionId);
        const encodedAt = performance.now();
        const latencyMs = encodedAt - begun.started;
        const result = { answer, predictionId, cache, text };
        publishAnswer(begun, result, { body, checked, checkedAt }, latencyMs, encodedAt);
        return result;
      } catch (error) {
        publishFailure(begun, error, { body, checked, checkedAt });
        throw error;
      } finally {
        loaded.release();
      }
    },

    async predictRows<Rows extends CheckedRows>(request: PredictionRequest, check: CheckOf<Rows>) {
      const begun = begin(request);
      const { loaded, call } = begun;
      let checked: Rows | undefined;
      try {
        checked = await check(loaded);
        const checkedAt = performance.now();
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
          const sent = { body: request?.row, checked: request, checkedAt: k === 0 ? checkedAt : undefined };
          publishAnswer(begun, row, sent, latencyMs);
        }
        return { checked, rows, textOf: ({ answer, predictionId }) => toText(answer, loaded, predictionId) };
      } catch (thrown) {
        const error = thrown instanceof RowError ? checked?.explain(thrown.failure, thrown.row) : thrown;
        publishFailure(begun, error, { body: undefined, checked: undefined, checkedAt: undefined });
        throw error;
      } finally {
        loaded.release();
      }
    },
  };

  /** Leases the version: the caller must release `loaded`. */
  function begin(request: PredictionRequest): Begun {
    const { model, version, caller, onBegun, requestId, keyId, caching, trace, source } = request;
    const started = performance.now();
    const since = request.parsedSince ?? started;
    lastBegunAt = started;
    const loaded = registry.lease(model, version);
    const predictionId = randomUUID();
    onBegun?.({ model: loaded.name, version: loaded.version, predictionId });
    const call = loaded.createCall(caller);
    return { requestId, keyId, caching, trace, source, started, since, loaded, predictionId, call };
  }

  function cachingOf({ loaded, caching = 'normal' }: Begun) {
    if (cached === undefined || !loaded.isCacheable || caching === 'none') return undefined;
    const { identity, isCacheForced: isForced, task } = loaded;
    const [isShortRun, isBypassed] = [loaded.executorKind === 'inline', caching === 'bypass'];
    return { cached, identity, isShortRun, isForced, isBypassed, classes: task.answerShape?.classes };
  }

  function publishAnswer(
    begun: Begun,
    { answer, predictionId, cache }: RowResult,
    sent: Sent,
    latencyMs: number,
    encodedAt?: number,
  ): void {
    const { timing } = answer;
    publish(begun, sent, { status: 'ok', predictionId, latencyMs, encodedAt, cache, timing, answer });
  }

  function publishFailure(begun: Begun, error: unknown, sent: Sent): void {
    const { predictionId, started } = begun;
    const status = error instanceof ServiceError ? error.code : 'internal';
    publish(begun, sent, { status, predictionId, latencyMs: performance.now() - started });
  }

  function publish(begun: Begun, { body, checked, checkedAt }: Sent, outcome: Outcome): void {
    const { loaded, requestId, keyId, since, trace, source = 'online' } = begun;
    predictions.publish({
      model: loaded.name,
      version: loaded.version,
      status: outcome.status,
      predictionId: outcome.predictionId,
      requestId,
      keyId,
      trace,
      since,
      checkedAt,
      encodedAt: outcome.encodedAt,
      latencyMs: outcome.latencyMs,
      cache: outcome.cache,
      timing: outcome.timing,
      manifest: loaded.manifest,
      source,
      body,
      row: checked?.row,
      answer: outcome.answer,
    });
  }
}

function toText(answer: Answer, loaded: LoadedVersion, predictionId: string): string {
  return `{${answer.fieldsJson},${loaded.versionFieldsJson},"prediction_id":"${predictionId}"}`;
}
