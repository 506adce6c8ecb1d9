import { messageOf, ServiceError } from '../errors.js';
import { Batcher } from '../inference/batching/batcher.js';
import { RunTimes } from '../inference/batching/run-times.js';
import { createEncoder, type Row } from '../inference/encode.js';
import { EngineError } from '../inference/engine-error.js';
import type { Executor } from '../inference/executor.js';
import type { ModelGraph } from '../inference/graph.js';
import type { Tensors } from '../inference/tensor.js';
import { countBytes } from '../inference/tensor-bytes.js';
import type { Trial } from '../inference/trials.js';
import { bindInputs } from './binding/bind-inputs.js';
import { bindOutputs } from './binding/bind-outputs.js';
import { createExampleRow } from './example-row.js';
import { createFeatureSchema, type FeatureSchema } from './feature-schema.js';
import { createFeatureTask } from './feature-task.js';
import type { Golden } from './golden.js';
import { type Manifest, RefusedError } from './manifest.js';
import { createRowText } from './row-text.js';
import { longestInlineRunMs, withDefaults } from './runtime-settings.js';
import type { Task } from './task.js';
import { createTensorForm, createTensorTask, type TensorRun } from './tensor-task.js';

/** What runs in a child have shown of a version, before any client is answered by it. */
export interface WarmUp {
  /** The task over any executor of this version, with other limits than the manifest's where they are given. */
  createTask(
    executor: Executor,
    limits?: { readonly timeoutMs: number; readonly maxQueueRows: number },
  ): Task;
  /** Milliseconds of the engine: the shortest of some runs of one row, and of a full batch where there are such. */
  readonly runMs: number;
  readonly batchRunMs?: number;
  readonly batchRows: number;
  /** Bytes of the outputs of a full batch, as tensors. */
  readonly outputBytes: number;
  /** A run of one row, and one of a full batch: what a new session is warmed up with. */
  readonly runs: readonly TensorRun[];
}

const longestDoubtMs = 50;

/** Runs a version of features: one row, two rows, a full batch. Throws `RefusedError` when the engine takes none. */
export async function warmUpFeatures(
  manifest: Manifest,
  graph: ModelGraph,
  trial: Trial,
  golden: Golden | undefined,
  maxOutputBytes: number,
): Promise<WarmUp> {
  const { inputs, typed, fixedRows } = bindInputs(manifest, graph);
  const outputs = bindOutputs(manifest, graph);
  const encode = createEncoder(inputs, fixedRows);
  const settings = withDefaults(manifest.runtime);
  const features = createFeatureSchema(manifest.name, typed);
  const row = soundRow(features, golden) ?? createExampleRow(typed);
  const feedsOf = (rows: number) => encode(new Array<Row>(rows).fill(row));
  const runRows = (rows: number) => trial.run(feedsOf(rows), outputs.fetches);

  // Two rows show which elements belong to a row; one row shows that the graph takes it.
  const two = await runOrRefuse(() => runRows(2));
  const { decode, classes } = outputs.complete(two, fixedRows ?? 2);
  const one = await runOrRefuse(() => runRows(1));
  outputs.complete(one, fixedRows ?? 1);
  const runMs = await fastestOf(10, trial, () => runRows(1));
  if (runMs > settings.timeoutMs) throw tooSlow(runMs, settings.timeoutMs);
  // A full batch must fit well into the time that a run may take, and its outputs into what one may give.
  const affordableRows = Math.floor(settings.timeoutMs / 2 / runMs);
  const wantedRows = manifest.runtime?.maxBatchRows ?? Math.min(settings.maxBatchRows, affordableRows);
  const carriedRows = Math.floor(maxOutputBytes / (countBytes(one) / (fixedRows ?? 1)));
  const batchRows = Math.max(1, Math.min(fixedRows ?? wantedRows, wantedRows, carriedRows));
  const full = await runRows(batchRows);
  const batchRunMs = await fastestOf(3, trial, () => runRows(batchRows));
  const { fetches } = outputs;
  return {
    createTask: (executor, limits) =>
      createFeatureTask({
        features,
        toText: createRowText(typed.map(({ feature }) => feature.name)),
        example: createExampleRow(typed),
        batcher: new Batcher({
          ...settings,
          ...limits,
          maxBatchRows: batchRows,
          executor,
          times: new RunTimes({ rows: 1, ms: runMs }, { rows: batchRows, ms: batchRunMs }),
          toRun: (rows) => ({ feeds: encode(rows), fetches }),
        }),
        decode,
        hasProbabilities: outputs.hasProbabilities,
        ...(classes && { classes }),
        ...(manifest.output?.names && { names: manifest.output.names }),
      }),
    runMs,
    batchRunMs,
    batchRows,
    outputBytes: countBytes(full),
    runs: [1, batchRows].map((rows) => ({ feeds: feedsOf(rows), fetches })),
  };
}

/** Runs a version of tensors on its first golden request, or on zeros. */
export async function warmUpTensors(
  manifest: Manifest,
  graph: ModelGraph,
  trial: Trial,
  golden: Golden | undefined,
): Promise<WarmUp> {
  const settings = withDefaults(manifest.runtime);
  const form = createTensorForm(graph, manifest.runtime?.maxBatchRows);
  const runs: TensorRun[] = [];
  let runMs = Number.NaN;
  let outputBytes = 0;
  try {
    const run = form.read(golden?.instances[0] ?? form.example);
    outputBytes = countBytes(await trial.run(run.feeds, run.fetches));
    runMs = await fastestOf(3, trial, () => trial.run(run.feeds, run.fetches));
    runs.push(run);
  } catch (error) {
    // Zeros are a guess: a graph may have a reason not to take them. Golden rows are judged later.
    if (!(error instanceof EngineError || error instanceof ServiceError)) throw error;
  }
  if (runMs > settings.timeoutMs) throw tooSlow(runMs, settings.timeoutMs);
  return {
    createTask: (executor, limits) =>
      createTensorTask(
        form,
        new Batcher({
          toRun: ([run]) => run as TensorRun,
          times: new RunTimes(Number.isNaN(runMs) ? undefined : { rows: 1, ms: runMs }),
          ...settings,
          ...limits,
          executor,
          maxBatchRows: 1,
          maxBatchDelayMs: 0,
        }),
      ),
    runMs,
    batchRows: 1,
    outputBytes,
    runs,
  };
}

/** The first golden row, where it fits the features; where it does not, the check of golden rows says so. */
function soundRow(features: FeatureSchema, golden: Golden | undefined): Row | undefined {
  try {
    return golden && features.check(golden.instances[0]);
  } catch {
    return undefined;
  }
}

async function runOrRefuse(run: () => Promise<Tensors>): Promise<Tensors> {
  try {
    return await run();
  } catch (cause) {
    if (!(cause instanceof EngineError)) throw cause;
    throw new RefusedError(
      `the engine refuses a row made of the features' examples (${messageOf(cause)}): ` +
        'check the order and types of the features, or give each an "example"',
      { cause },
    );
  }
}

/**
 * The shortest of some runs, in the engine's own milliseconds. What seems too long for the server's thread is tried
 * again for a while: a machine that was busy at the wrong moment must not decide where a version runs.
 */
async function fastestOf(times: number, trial: Trial, run: () => Promise<unknown>): Promise<number> {
  let fastest = Number.POSITIVE_INFINITY;
  const until = performance.now() + longestDoubtMs;
  for (let k = 0; k < times || (fastest > longestInlineRunMs && performance.now() < until); k += 1) {
    await run();
    fastest = Math.min(fastest, trial.lastRunMs);
  }
  return fastest;
}

function tooSlow(runMs: number, timeoutMs: number): RefusedError {
  return new RefusedError(
    `a run of one row takes ${runMs.toFixed(0)} ms, and timeoutMs is ${timeoutMs}: raise /runtime/timeoutMs`,
  );
}
