import { messageOf, ServiceError } from '../errors.js';
import { EngineError } from '../inference/engine-error.js';
import type { Executor } from '../inference/executor.js';
import { GraphError, type ModelGraph, readGraph } from '../inference/graph.js';
import { findTreeFault } from '../inference/graph-hazards.js';
import { judgeGraph } from '../inference/graph-judge.js';
import { findRandomness } from '../inference/graph-randomness.js';
import { HostLostError } from '../inference/host-process.js';
import { Standby } from '../inference/standby.js';
import { type Trial, type TrialOptions, Trials, TrialTimeoutError } from '../inference/trials.js';
import { copyPrivately, type PrivateCopy } from './external-weights.js';
import { checkGolden, type Golden, parseGolden } from './golden.js';
import { LoadedModel } from './loaded-model.js';
import { RefusedError } from './manifest.js';
import { type CheckedModel, openInline, openIsolated } from './open-executor.js';
import { longestInlineRunMs, withDefaults } from './runtime-settings.js';
import { readVersionFiles } from './version-files.js';
import { type WarmUp, warmUpFeatures, warmUpTensors } from './warm-up.js';

export interface LoaderOptions extends TrialOptions {
  /** Whether a load may hold up this thread for as long as the engine takes: while nobody is served yet. */
  readonly mayBlock?: (() => boolean) | undefined;
  /** Told how a child of an isolated version ended that was not meant to. */
  readonly onLost?: ((model: string, version: string, how: string) => void) | undefined;
}

/** Loads versions, and holds the children in which they are tried. */
export interface Loader {
  /**
   * Loads one version: digests, graph, then in a child the engine, warm-up and golden rows, in this order, so that the
   * engine opens only what is whole and no version answers before it has answered right. What the child measured
   * says where it runs. Throws `RefusedError` for whatever is wrong with the version, in words fit for a client;
   * whatever else it throws is not.
   */
  load(path: string, model: string, version: string): Promise<LoadedModel>;
  /** Ends the children that serve no version. */
  close(): void;
}

/** Opening a model on a thread that serves others may hold it up for so long. */
const longestInlineOpenMs = 100;

export function createLoader(options: LoaderOptions): Loader {
  const trials = new Trials(options);
  const standby = new Standby(options.maxMemoryBytes);
  return {
    async load(path, model, version) {
      const started = performance.now();
      trials.prepare();
      let copy: PrivateCopy | undefined;
      try {
        const files = await readVersionFiles(path, model, version);
        const golden = files.golden && parseGolden(files.golden);
        const graph = inspectGraph(files.model);
        if (graph.externalData.length > 0) copy = await copyPrivately(files, graph.externalFiles);
        return await loadChecked({ files, graph, copy }, golden, { ...options, trials, standby }, started);
      } catch (error) {
        await copy?.remove();
        throw toRefusal(error);
      }
    },
    close: () => trials.close(),
  };
}

async function loadChecked(
  model: CheckedModel,
  golden: Golden | undefined,
  options: LoaderOptions & { readonly trials: Trials; readonly standby: Standby },
  started: number,
): Promise<LoadedModel> {
  const { files, graph, copy } = model;
  const { manifest, identity } = files;
  const { intraOpNumThreads: threads, timeoutMs } = withDefaults(manifest.runtime);
  const { trials, standby, loadTimeoutMs, maxOutputBytes } = options;
  const title = `sardonyx ${manifest.name}/${manifest.version}`;
  const trial = await trials.begin(
    copy === undefined
      ? { bytes: files.model, threads, title }
      : { path: copy.modelPath, copy: copy.folder, threads, title },
  );
  let isKept = false;
  try {
    const warm =
      manifest.task === 'tensor'
        ? await warmUpTensors(manifest, graph, trial, golden)
        : await warmUpFeatures(manifest, graph, trial, golden, maxOutputBytes);
    if (golden !== undefined) {
      const tried = warm.createTask(
        { kind: 'inline', run: trial.run, close() {} },
        { timeoutMs: loadTimeoutMs, maxQueueRows: golden.instances.length },
      );
      const answer = (body: unknown) => tried.answer(body, { arrivedAt: performance.now() });
      await checkGolden(golden, manifest.task, answer);
    }
    const { addedBytes, residentBytes } = await trial.measure();
    const { kind, reason } = choosePlace(model, warm, trial, options.mayBlock?.() ?? true);
    let executor: Executor;
    if (kind === 'inline') executor = await openInline(model, threads, maxOutputBytes, warm.runs);
    else {
      isKept = true;
      const onLost = (how: string) => options.onLost?.(manifest.name, manifest.version, how);
      executor = await openIsolated(model, trial, {
        ...{ threads, timeoutMs, loadTimeoutMs, maxOutputBytes, residentBytes, standby, title, onLost },
        warmUp: warm.runs[0],
      });
    }
    const { runMs, batchRunMs, batchRows, outputBytes } = warm;
    const figures = {
      loadMs: performance.now() - started,
      openMs: trial.openMs,
      runMs,
      ...(batchRunMs !== undefined && { batchRunMs }),
      batchRows,
      outputBytes,
      // A child that has tried others may hold no more than before: what they left is used again.
      memoryBytes: kind === 'inline' ? Math.max(addedBytes, files.model.length) : residentBytes,
      goldenRows: golden?.instances.length ?? 0,
      executorReason: reason,
      uncachedReason: findUncachedReason(model),
    };
    const task = warm.createTask(executor);
    return new LoadedModel({ manifest, identity, task, figures, executor });
  } finally {
    if (!isKept) await trial.end();
  }
}

/** Where a version runs, and why. */
function choosePlace(
  { files: { manifest }, graph }: CheckedModel,
  { runMs, batchRunMs, batchRows }: WarmUp,
  { openMs }: Trial,
  mayBlock: boolean,
): { kind: Executor['kind']; reason: string } {
  const wanted = manifest.runtime?.executor ?? 'auto';
  if (wanted !== 'auto') return { kind: wanted, reason: 'the manifest says so' };
  const { unproven } = judgeGraph(graph, { freeInputs: manifest.task === 'tensor' ? 'declared' : 'rows' });
  if (unproven !== undefined) return { kind: 'isolated', reason: unproven };
  const longestMs = batchRunMs ?? runMs;
  if (longestMs > longestInlineRunMs) {
    const rows = batchRows === 1 ? '1 row' : `${batchRows} rows`;
    return { kind: 'isolated', reason: `a run of ${rows} takes ${longestMs.toFixed(1)} ms` };
  }
  if (!mayBlock && openMs > longestInlineOpenMs) {
    return { kind: 'isolated', reason: `it takes ${openMs.toFixed(0)} ms to open while others are served` };
  }
  return { kind: 'inline', reason: 'its runs are short' };
}

/** Why the answers of a version are not remembered: it gives others each time, or its manifest says so. */
function findUncachedReason({ files: { manifest }, graph }: CheckedModel): string | undefined {
  const wanted = manifest.runtime?.cache;
  if (wanted !== undefined) return wanted ? undefined : 'the manifest says so';
  const random = findRandomness(graph);
  return random && `the graph holds a ${random}`;
}

/** Reads the graph and refuses what the engine would not survive. */
function inspectGraph(model: Uint8Array): ModelGraph {
  const graph = readGraph(model);
  const fault = findTreeFault(graph);
  if (fault !== undefined) throw new RefusedError(`model.onnx: ${fault}`);
  return graph;
}

function toRefusal(error: unknown): unknown {
  const reason = messageOf(error);
  if (error instanceof GraphError) return new RefusedError(`model.onnx ${reason}`, { cause: error });
  if (error instanceof HostLostError || error instanceof TrialTimeoutError) {
    return new RefusedError(`the engine does not survive model.onnx: ${reason}`, { cause: error });
  }
  if (error instanceof EngineError) {
    return new RefusedError(`the engine refuses model.onnx: ${reason}`, { cause: error });
  }
  if (error instanceof ServiceError)
    return new RefusedError(`the model cannot be used: ${reason}`, { cause: error });
  return error;
}
