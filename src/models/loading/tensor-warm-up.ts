import { ServiceError } from '../../errors.js';
import { Batcher } from '../../inference/batching/batcher.js';
import { RunTimes } from '../../inference/batching/run-times.js';
import type { ModelGraph } from '../../inference/graph.js';
import type { Tensors } from '../../inference/tensor.js';
import { countBytes } from '../../inference/tensor-bytes.js';
import type { Trial } from '../../inference/trials.js';
import type { Golden } from '../golden.js';
import type { Manifest } from '../manifest.js';
import { withDefaults } from '../runtime-settings.js';
import { countRows, hasEvenRows, joinRuns, shapeOf } from '../tensor-rows.js';
import { createTensorForm, createTensorTask, type TensorForm, type TensorRun } from '../tensor-task.js';
import { toTensorText } from '../tensor-text.js';
import { judgeGathering } from './tensor-gathering.js';
import { isRefusal, renewIfEnded } from './try-samples.js';
import { fastestOf, tooSlow, type WarmUp, type WarmUpLimits } from './warm-up.js';

/**
 * Runs a version of tensors on its first golden request, or on zeros, then on different rows alone and together.
 */
export async function warmUpTensors(
  manifest: Manifest,
  graph: ModelGraph,
  trial: Trial,
  golden: Golden | undefined,
  limits: WarmUpLimits,
): Promise<WarmUp> {
  const settings = withDefaults(manifest.runtime);
  const form = createTensorForm(graph, manifest.runtime?.maxBatchRows);
  const base = await findBase(form, golden, trial);
  const baseMs =
    base === undefined
      ? Number.NaN
      : await fastestOf(3, trial, () => trial.run(base.run.feeds, base.run.fetches));
  if (baseMs > settings.timeoutMs) throw tooSlow(baseMs, settings.timeoutMs);
  const gathering =
    base && (await judgeGathering({ form, base, golden, trial, runMs: baseMs, limits, manifest }));
  const { mostRows = 1, rowMs: runMs = baseMs, batchRunMs = baseMs, verdict = {} } = gathering ?? {};
  return {
    createTask: (executor, options) =>
      createTensorTask(
        form,
        new Batcher({
          ...settings,
          ...options,
          executor,
          toRun: joinRuns,
          textOf: toTensorText,
          times: new RunTimes(
            ...(base === undefined
              ? []
              : [
                  { rows: 1, ms: runMs },
                  { rows: mostRows, ms: batchRunMs },
                ]),
          ),
          maxBatchRows: mostRows,
          ...(mostRows < 2
            ? { maxBatchDelayMs: 0 }
            : {
                sizeOf: (run) => ({
                  rows: countRows(run),
                  group: hasEvenRows(run) ? shapeOf(run) : undefined,
                }),
              }),
        }),
        mostRows,
      ),
    runMs,
    ...(mostRows > 1 && { batchRunMs }),
    batchRows: mostRows,
    batchReason: verdict.reason,
    companyFault: verdict.fault,
    outputBytes: base === undefined ? 0 : countBytes(base.outputs),
    runs: base === undefined ? [] : [base.run],
    notes: [],
  };
}

/** A request that the version answers, and the answer. */
export interface Base {
  readonly run: TensorRun;
  readonly outputs: Tensors;
}

/** The first golden request, or zeros. Zeros are a guess: a graph may have a reason not to take them. */
async function findBase(
  form: TensorForm,
  golden: Golden | undefined,
  trial: Trial,
): Promise<Base | undefined> {
  try {
    const run = form.read(golden?.instances[0] ?? form.example);
    return { run, outputs: await trial.run(run.feeds, run.fetches) };
  } catch (error) {
    // Golden rows are judged later.
    if (!isRefusal(error) && !(error instanceof ServiceError)) throw error;
    await renewIfEnded(trial, error);
    return undefined;
  }
}
