import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { ServiceError } from '../errors.js';
import { type Caller, createCall } from '../inference/batching/call-context.js';
import type { LoadedVersion } from '../models/registry/loaded-version.js';
import type { Answer } from '../models/tasks/task.js';
import type { Predictions } from '../prediction-event.js';
import type { Predictor } from '../predictor.js';
import { nextTurnAlone } from '../time/slices.js';
import { answerRows, type BatchRow, type CheckedBatchRow, checkRows } from './answer-rows.js';

/** What came of one row. `fieldsJson` has the members of the answer, as in `Answer`. */
export type RowOutcome =
  | { readonly fieldsJson: string; readonly predictionId: string }
  | { readonly error: ServiceError };

export interface BatchRequest {
  readonly requestId: string;
  readonly keyId?: string | undefined;
  readonly caller: Caller;
  /** The time for all rows together, in milliseconds from the arrival of the request. */
  readonly limitMs: number;
  readonly source: 'batch' | 'job';
}

/** Rows that are checked and run together: a full batch of the engine. They take this thread a millisecond. */
export const maxTurnRows = 256;
/** As many take 0.2 ms, which single rows that come meanwhile have to wait. */
const minTurnRows = 32;
/** Single rows that came in this time are followed by more. */
const quietMs = 1_000;

/** How long rows wait for a subscriber that is behind, before they look again. */
const behindPauseMs = 5;

export interface BatchPredictor {
  /** Whether requests of single rows come at the moment. */
  readonly isBusy: boolean;
  /** The rows of a job that should run together now: few while requests of single rows come. */
  readonly turnRows: number;
  /**
   * Predicts many rows with one version, each by itself: a row that fails costs no other row its answer. The rows run
   * below the rows of other requests, and the cache is not used, since a batch would fill it with rows that do not
   * repeat. `rows` gives them in chunks, and `onOutcomes` gets what came of each chunk, in order. The caller holds the
   * version's lease until the promise is settled. Throws what concerns all rows: see `Task.answerEach`; and what `rows`
   * and `onOutcomes` throw.
   */
  predict(
    loaded: LoadedVersion,
    request: BatchRequest,
    rows: AsyncIterable<readonly BatchRow[]>,
    onOutcomes: (outcomes: readonly RowOutcome[]) => void,
  ): Promise<void>;
}

export function createBatchPredictor(
  predictions: Predictions,
  online: Pick<Predictor, 'lastBegunAt'>,
): BatchPredictor {
  return {
    get isBusy() {
      return performance.now() - online.lastBegunAt < quietMs;
    },

    get turnRows() {
      return this.isBusy ? minTurnRows : maxTurnRows;
    },

    async predict(loaded, request, chunks, onOutcomes) {
      const call = createCall({ ...request.caller, isBackground: true }, request.limitMs);
      let running: Promise<readonly RowOutcome[]> | undefined;
      try {
        // The rows of a chunk run while the next chunk is read.
        for await (const rows of chunks) {
          const last = running;
          running = answerChunk(rows);
          // The `await` of the next round throws the failure.
          running.catch(() => undefined);
          if (last !== undefined) onOutcomes(await last);
        }
        if (running !== undefined) onOutcomes(await running);
      } finally {
        // No run may be in progress when the lease ends.
        await running?.catch(() => undefined);
      }

      async function answerChunk(rows: readonly BatchRow[]): Promise<readonly RowOutcome[]> {
        // In a turn of its own: otherwise many chunks of rows that fail their check would run in one turn.
        await nextTurnAlone();
        while (predictions.isBehind && performance.now() <= call.deadline && !call.connection?.destroyed)
          await pause(behindPauseMs);
        if (performance.now() > call.deadline) throw new ServiceError('deadline_exceeded');
        if (call.connection?.destroyed) throw new ServiceError('client_closed');
        const started = performance.now();
        const checked = checkRows(loaded, rows);
        const answers = await answerRows(loaded, checked, call);
        const latencyMs = performance.now() - started;
        return answers.map((answer, k) => {
          const [sent, row] = [rows[k] as BatchRow, checked[k] as CheckedBatchRow];
          return publish(sent, row, answer, started, latencyMs);
        });
      }

      function publish(
        sent: BatchRow,
        checked: CheckedBatchRow,
        answer: Answer | ServiceError,
        since: number,
        latencyMs: number,
      ): RowOutcome {
        const predictionId = randomUUID();
        const isFailure = answer instanceof ServiceError;
        predictions.publish({
          model: loaded.name,
          version: loaded.version,
          status: isFailure ? answer.code : 'ok',
          predictionId,
          requestId: request.requestId,
          keyId: request.keyId,
          since,
          latencyMs,
          timing: isFailure ? undefined : answer.timing,
          manifest: loaded.manifest,
          source: request.source,
          body: 'error' in sent ? undefined : sent.body,
          row: checked instanceof ServiceError ? undefined : checked.row,
          answer: isFailure ? undefined : answer,
        });
        return isFailure ? { error: answer } : { fieldsJson: answer.fieldsJson, predictionId };
      }
    },
  };
}
