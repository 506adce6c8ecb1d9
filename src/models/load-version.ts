import { messageOf, ServiceError } from '../errors.js';
import { Batcher } from '../inference/batcher.js';
import { createEncoder, type Row } from '../inference/encode.js';
import { EngineError } from '../inference/engine-error.js';
import type { Executor } from '../inference/executor.js';
import { GraphError, type ModelGraph, readGraph } from '../inference/graph.js';
import { findTreeFault } from '../inference/graph-hazards.js';
import { createInlineExecutor } from '../inference/inline.js';
import { openSession, type Session } from '../inference/session.js';
import type { Tensors } from '../inference/tensor.js';
import { bindInputs } from './binding/bind-inputs.js';
import { bindOutputs } from './binding/bind-outputs.js';
import { createExampleRow } from './example-row.js';
import { copyPrivately } from './external-weights.js';
import { createFeatureSchema, type FeatureSchema } from './feature-schema.js';
import { createFeatureTask } from './feature-task.js';
import { checkGolden, type Golden, parseGolden } from './golden.js';
import { LoadedModel } from './loaded-model.js';
import { type Manifest, RefusedError } from './manifest.js';
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

/**
 * Loads one version: digests, graph, engine, warm-up, golden rows, in this order, so that the engine opens only
 * what is whole and no version answers before it has answered right. Throws `RefusedError` for whatever is wrong
 * with the version, in words fit for a client; whatever else it throws is not. Blocks this thread while the engine
 * opens the model and runs it.
 */
export async function loadVersion(path: string, model: string, version: string): Promise<LoadedModel> {
  const started = performance.now();
  const files = await readVersionFiles(path, model, version);
  const { manifest } = files;
  if (manifest.runtime?.executor === 'isolated') {
    throw new RefusedError(
      '/runtime/executor is "isolated", which this release does not have: use "auto" or "inline"',
    );
  }
  const golden = files.golden && parseGolden(files.golden);
  const graph = inspectGraph(files.model);
  const session = await openModel(files, graph);
  try {
    const executor = createInlineExecutor(session);
    const parts =
      manifest.task === 'tensor'
        ? await warmUpTensors(manifest, graph, executor, golden)
        : await warmUpFeatures(manifest, graph, executor, golden);
    if (golden !== undefined) await checkGolden(golden, manifest.task, (body) => parts.task.answer(body));
    const figures = {
      ...parts.figures,
      loadMs: performance.now() - started,
      goldenRows: golden?.instances.length ?? 0,
    };
    return new LoadedModel({ manifest, identity: files.identity, task: parts.task, figures, executor });
  } catch (error) {
    session.release();
    const isSafe = [EngineError, GraphError, ServiceError].some((kind) => error instanceof kind);
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

async function openModel(files: VersionFiles, graph: ModelGraph): Promise<Session> {
  const threads = files.manifest.runtime?.intraOpNumThreads ?? defaults.intraOpNumThreads;
  if (graph.externalData.length === 0) return openOrRefuse(files.model, threads);
  const copy = await copyPrivately(files, graph.externalData);
  try {
    return openOrRefuse(copy.modelPath, threads);
  } finally {
    // The engine has mapped what it needs; a mapping outlives its file's name.
    await copy.remove();
  }
}

function openOrRefuse(model: Uint8Array | string, threads: number): Session {
  try {
    return openSession(model, threads);
  } catch (cause) {
    throw new RefusedError(`the engine refuses model.onnx: ${messageOf(cause)}`, { cause });
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
  const maxBatchRows = Math.min(fixedRows ?? settings.maxBatchRows, settings.maxBatchRows);
  const features = createFeatureSchema(manifest.name, typed);
  const row = soundRow(features, golden) ?? createExampleRow(typed);
  const runRows = (rows: number) => executor.run(encode(new Array<Row>(rows).fill(row)), outputs.fetches);

  // Two rows show which elements belong to a row; one row shows that the graph takes it.
  const two = await runOrRefuse(() => runRows(2));
  const { decode, classes } = outputs.complete(two, fixedRows ?? 2);
  outputs.complete(await runOrRefuse(() => runRows(1)), fixedRows ?? 1);
  const runMs = await fastestOf(5, () => runRows(1));
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

async function fastestOf(times: number, run: () => Promise<unknown>): Promise<number> {
  let fastest = Number.POSITIVE_INFINITY;
  for (let k = 0; k < times; k += 1) {
    const started = performance.now();
    await run();
    fastest = Math.min(fastest, performance.now() - started);
  }
  return fastest;
}
