import { messageOf, ServiceError } from '../errors.js';
import { Batcher } from '../inference/batcher.js';
import { createEncoder, type Row } from '../inference/encode.js';
import { EngineError } from '../inference/engine-error.js';
import type { Executor } from '../inference/executor.js';
import { GraphError, type ModelGraph, readGraph } from '../inference/graph.js';
import { findTreeFault } from '../inference/graph-hazards.js';
import { findRunRisk } from '../inference/graph-risks.js';
import type { Tensors } from '../inference/tensor.js';
import { bindInputs } from './binding/bind-inputs.js';
import { bindOutputs } from './binding/bind-outputs.js';
import { createExampleRow } from './example-row.js';
import { createFeatureSchema, type FeatureSchema } from './feature-schema.js';
import { createFeatureTask } from './feature-task.js';
import { checkGolden, type Golden, parseGolden } from './golden.js';
import { LoadedModel } from './loaded-model.js';
import { type Manifest, RefusedError } from './manifest.js';
import { openExecutor } from './open-executor.js';
import type { Task } from './task.js';
import { createTensorTask } from './tensor-task.js';
import { readVersionFiles, type VersionFiles } from './version-files.js';

const defaults = {
  maxBatchRows: 256,
  maxBatchDelayMs: 0,
  intraOpNumThreads: 1,
  timeoutMs: 1_000,
  maxQueueRows: 4_096,
} as const;

/** A full batch that takes longer, on this thread, would be felt by every other model. */
const longestInlineRunMs = 1;
const longestDoubtMs = 50;

/**
 * Loads one version: digests, graph, engine, warm-up, golden rows, in this order, so that the engine opens only
 * what is whole and no version answers before it has answered right. Runs isolated what its manifest, its graph or
 * its measured runs ask for. Throws `RefusedError` for whatever is wrong with the version, in words fit for a
 * client; whatever else it throws is not. Blocks this thread while the engine opens and runs an inline model.
 */
export async function loadVersion(
  path: string,
  model: string,
  version: string,
  onLost?: (how: string) => void,
): Promise<LoadedModel> {
  const started = performance.now();
  const files = await readVersionFiles(path, model, version);
  const golden = files.golden && parseGolden(files.golden);
  const graph = inspectGraph(files.model);
  const { executor: wanted = 'auto' } = files.manifest.runtime ?? {};
  const risk = wanted === 'auto' ? findRunRisk(graph) : undefined;
  const reason = risk ?? (wanted === 'auto' ? undefined : 'the manifest says so');
  const kind = wanted === 'isolated' || risk !== undefined ? 'isolated' : 'inline';

  const parts = { files, graph, golden, started, onLost };
  const loaded = await loadAs(kind, parts, reason ?? 'its runs are short');
  const { batchRunMs, runMs, batchRows } = loaded.figures;
  const longestMs = batchRunMs ?? runMs;
  if (wanted !== 'auto' || kind === 'isolated' || !(longestMs > longestInlineRunMs)) return loaded;
  loaded.retire();
  return loadAs('isolated', parts, `a run of ${batchRows} rows takes ${longestMs.toFixed(1)} ms`);
}

interface LoadParts {
  readonly files: VersionFiles;
  readonly graph: ModelGraph;
  readonly golden: Golden | undefined;
  readonly started: number;
  readonly onLost: ((how: string) => void) | undefined;
}

async function loadAs(
  kind: Executor['kind'],
  parts: LoadParts,
  executorReason: string,
): Promise<LoadedModel> {
  const { files, graph, golden, started, onLost } = parts;
  const { manifest, identity } = files;
  const { intraOpNumThreads: threads, timeoutMs } = { ...defaults, ...manifest.runtime };
  const executor = await openExecutor(kind, files, graph, { threads, timeoutMs, onLost });
  try {
    const warm =
      manifest.task === 'tensor'
        ? await warmUpTensors(manifest, graph, executor, golden)
        : await warmUpFeatures(manifest, graph, executor, golden);
    if (golden !== undefined) await checkGolden(golden, manifest.task, (body) => warm.task.answer(body));
    const loadMs = performance.now() - started;
    const figures = { ...warm.figures, loadMs, goldenRows: golden?.instances.length ?? 0, executorReason };
    return new LoadedModel({ manifest, identity, task: warm.task, figures, executor });
  } catch (error) {
    executor.close();
    const isSafe = [EngineError, GraphError, ServiceError].some((known) => error instanceof known);
    throw isSafe
      ? new RefusedError(`the model cannot be used: ${messageOf(error)}`, { cause: error })
      : error;
  }
}

/** Reads the graph and refuses what the engine would not survive. */
function inspectGraph(model: Uint8Array): ModelGraph {
  try {
    const graph = readGraph(model);
    const fault = findTreeFault(graph);
    if (fault !== undefined) throw new RefusedError(`model.onnx: ${fault}`);
    return graph;
  } catch (error) {
    if (error instanceof GraphError) throw new RefusedError(`model.onnx ${error.message}`, { cause: error });
    throw error;
  }
}

interface WarmTask {
  readonly task: Task;
  readonly figures: { readonly runMs: number; readonly batchRunMs?: number; readonly batchRows: number };
}

async function warmUpFeatures(
  manifest: Manifest,
  graph: ModelGraph,
  executor: Executor,
  golden: Golden | undefined,
): Promise<WarmTask> {
  const { inputs, typed, fixedRows } = bindInputs(manifest, graph);
  const outputs = bindOutputs(manifest, graph);
  const encode = createEncoder(inputs, fixedRows);
  const settings = { ...defaults, ...manifest.runtime };
  const features = createFeatureSchema(manifest.name, typed);
  const row = soundRow(features, golden) ?? createExampleRow(typed);
  const runRows = (rows: number) => executor.run(encode(new Array<Row>(rows).fill(row)), outputs.fetches);

  // Two rows show which elements belong to a row; one row shows that the graph takes it.
  const two = await runOrRefuse(() => runRows(2));
  const { decode, classes } = outputs.complete(two, fixedRows ?? 2);
  outputs.complete(await runOrRefuse(() => runRows(1)), fixedRows ?? 1);
  const runMs = await fastestOf(5, () => runRows(1));
  // Where the manifest leaves it open, a full batch must fit well into the time that a run may take.
  const affordableRows = Math.max(1, Math.floor(settings.timeoutMs / 2 / runMs));
  const wantedRows = manifest.runtime?.maxBatchRows ?? Math.min(defaults.maxBatchRows, affordableRows);
  const maxBatchRows = Math.min(fixedRows ?? wantedRows, wantedRows);
  const batchRunMs = await fastestOf(3, () => runRows(maxBatchRows));
  const batcher = new Batcher({ ...settings, maxBatchRows, executor, encode, fetches: outputs.fetches });
  const task = createFeatureTask({
    features,
    example: createExampleRow(typed),
    batcher,
    decode,
    hasProbabilities: outputs.hasProbabilities,
    ...(classes && { classes }),
    ...(manifest.output?.names && { names: manifest.output.names }),
  });
  return { task, figures: { runMs, batchRunMs, batchRows: maxBatchRows } };
}

/** The first golden row, where it fits the features; where it does not, the check of golden rows says so. */
function soundRow(features: FeatureSchema, golden: Golden | undefined): Row | undefined {
  try {
    return golden && features.check(golden.instances[0]);
  } catch {
    return undefined;
  }
}

async function warmUpTensors(
  manifest: Manifest,
  graph: ModelGraph,
  executor: Executor,
  golden: Golden | undefined,
): Promise<WarmTask> {
  const task = createTensorTask(graph, executor, manifest.runtime?.maxBatchRows);
  const body = golden?.instances[0] ?? task.example;
  // Zeros are a guess: a graph may have a reason not to take them. Golden rows are judged later.
  const runMs = await fastestOf(3, () => task.answer(body)).catch(() => Number.NaN);
  return { task, figures: { runMs, batchRows: 1 } };
}

async function runOrRefuse(run: () => Promise<Tensors>): Promise<Tensors> {
  try {
    return await run();
  } catch (cause) {
    throw new RefusedError(
      `the engine refuses a row made of the features' examples (${messageOf(cause)}): ` +
        'check the order and types of the features, or give each an "example"',
      { cause },
    );
  }
}

/**
 * The shortest of some runs, in milliseconds. What seems too long for this thread is tried again for a while: a
 * machine that was busy at the wrong moment must not decide where a version runs.
 */
async function fastestOf(times: number, run: () => Promise<unknown>): Promise<number> {
  let fastest = Number.POSITIVE_INFINITY;
  const until = performance.now() + longestDoubtMs;
  for (let k = 0; k < times || (fastest > longestInlineRunMs && performance.now() < until); k += 1) {
    const started = performance.now();
    await run();
    fastest = Math.min(fastest, performance.now() - started);
  }
  return fastest;
}
