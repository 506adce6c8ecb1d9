import { messageOf, ServiceError } from '../errors.js';
import { adviseOnCrash, withAdvice } from '../inference/engine-advice.js';
import { EngineError } from '../inference/engine-error.js';
import type { Executor } from '../inference/executor.js';
import { GraphError, type ModelGraph } from '../inference/graph.js';
import { findSharedReason } from '../inference/graph-company.js';
import { findTreeFaultInSlices } from '../inference/graph-hazards.js';
import { findRunRisk } from '../inference/graph-risks.js';
import { findRandomness, findTrainingMode } from '../inference/graph-training.js';
import { HostLostError } from '../inference/host-process.js';
import { findZipMapFault, readServedGraphInSlices, type ServedGraph } from '../inference/served-graph.js';
import { Standby } from '../inference/standby.js';
import { type Trial, type TrialOptions, Trials, TrialTimeoutError } from '../inference/trials.js';
import { findExample, listExamples } from './example-request.js';
import { copyPrivately, type PrivateCopy } from './external-weights.js';
import { checkGolden, type Golden, parseGolden } from './golden.js';
import { createLabelDoubts, type LabelDoubts } from './label-doubts.js';
import { LoadedModel } from './loaded-model.js';
import { warmUpFeatures } from './loading/feature-warm-up.js';
import { refuseTraining, refuseUnrepeatable } from './loading/refuse-training.js';
import { warmUpTensors } from './loading/tensor-warm-up.js';
import type { WarmUp } from './loading/warm-up.js';
import { type Manifest, RefusedError } from './manifest.js';
import { type CheckedModel, openInline, openIsolated } from './open-executor.js';
import { longestInlineRunMs, withDefaults } from './runtime-settings.js';
import { readVersionFiles } from './version-files.js';
import { findNotes } from './version-notes.js';

export interface LoaderOptions extends TrialOptions {
  /** Whether a load may hold up this thread for as long as the engine takes: while nobody is served yet. */
  readonly mayBlock?: (() => boolean) | undefined;
  /** Told how a child of an isolated version ended that was not meant to. */
  readonly onLost?: ((model: string, version: string, how: string) => void) | undefined;
  /** Called when one request alone has ended the process of an isolated version. */
  readonly onFatal?: ((event: FatalEvent) => void) | undefined;
}

/** A request has ended the process of its version: `how` is a signal or a reason. */
export interface FatalEvent {
  readonly model: string;
  readonly version: string;
  readonly requestId: string | undefined;
  readonly how: string;
  /** Of the version's graph. */
  readonly operators: readonly string[];
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
  /** Ends the children that serve no version, and loads that are still on their way. */
  close(): void;
}

/** Opening a model on a thread that serves others may hold it up for so long. */
const longestInlineOpenMs = 100;

export function createLoader(options: LoaderOptions): Loader {
  const trials = new Trials(options);
  const standby = new Standby(options.maxMemoryBytes);
  const closing = new AbortController();
  return {
    async load(path, model, version) {
      const started = performance.now();
      trials.prepare();
      let copy: PrivateCopy | undefined;
      let graph: ModelGraph | undefined;
      try {
        closing.signal.throwIfAborted();
        const read = await readVersionFiles(path, model, version);
        const golden = read.golden && parseGolden(read.golden);
        const served = await inspectGraph(read.model);
        graph = served.graph;
        refuseTraining(read.manifest, graph);
        // From here on the bytes are those that the engine is given; the digest is that of the file.
        const files = { ...read, model: served.model };
        if (graph.externalData.length > 0)
          copy = await copyPrivately(files, graph.externalFiles, closing.signal);
        closing.signal.throwIfAborted();
        return await loadChecked({ files, graph, copy }, golden, { ...options, trials, standby }, started);
      } catch (error) {
        await copy?.remove();
        throw toRefusal(error, graph);
      }
    },
    close() {
      closing.abort();
      trials.close();
    },
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
    const risk = findRunRisk(graph);
    const mayRunInline = risk === undefined && manifest.runtime?.executor !== 'isolated';
    const limits = { maxOutputBytes, sharedReason: findSharedReason(graph), mayRunInline };
    const warm =
      manifest.task === 'tensor'
        ? await warmUpTensors(manifest, graph, trial, golden, limits)
        : await warmUpFeatures(manifest, graph, trial, golden, limits);
    if (!warm.isRepeatable) refuseUnrepeatable(manifest, graph);
    const fetches = warm.runs[0]?.fetches ?? [];
    const doubts = doubtsOf(manifest, fetches);
    for (const value of warm.answers) doubts?.add(value);
    const tried = warm.createTask(
      { kind: 'inline', run: trial.run, close() {} },
      { timeoutMs: loadTimeoutMs, maxQueueRows: golden?.instances.length ?? 1 },
    );
    const answer = async (body: unknown) => {
      const given = await tried.answer(body, { arrivedAt: performance.now() });
      doubts?.add(given.value);
      return given;
    };
    if (golden !== undefined) await checkGolden(golden, manifest.task, answer);
    const candidates = listExamples(manifest, graph, tried.example);
    const example = await findExample(candidates, golden, answer, trial);
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
    const { runMs, batchRunMs, batchRows, batchReason, companyFault, outputBytes } = warm;
    const figures = {
      loadMs: performance.now() - started,
      openMs: trial.openMs,
      runMs,
      ...(batchRunMs !== undefined && { batchRunMs }),
      batchRows,
      ...(batchReason !== undefined && { batchReason }),
      ...(companyFault !== undefined && { batchDifference: companyFault.difference }),
      outputBytes,
      // A child that has tried others may hold no more than before: what they left is used again.
      memoryBytes: kind === 'inline' ? Math.max(addedBytes, files.model.length) : residentBytes,
      goldenRows: golden?.instances.length ?? 0,
      executorReason: reason,
      uncachedReason: findUncachedReason(model, warm),
      notes: [
        ...findNotes(manifest, graph, fetches),
        ...(doubts?.note === undefined ? [] : [doubts.note]),
        ...(batchReason === undefined ? [] : [`requests do not share runs: ${batchReason}`]),
      ],
    };
    const about = { model: manifest.name, version: manifest.version };
    const operators = [...graph.opTypes].sort();
    const onFatal = (requestId: string | undefined, how: string) =>
      options.onFatal?.({ ...about, requestId, how, operators });
    const task = { ...warm.createTask(executor, { onFatal }), ...example };
    return new LoadedModel({ manifest, identity, task, figures, executor });
  } finally {
    if (!isKept) await trial.end();
  }
}

/** Of a classification whose label and probabilities are both served: one may belie the other. */
function doubtsOf(manifest: Manifest, [label, probabilities]: readonly string[]): LabelDoubts | undefined {
  const { task, output } = manifest;
  if (task !== 'classification' || output?.threshold !== undefined) return undefined;
  return label === undefined || probabilities === undefined
    ? undefined
    : createLabelDoubts(label, probabilities);
}

/** Where a version runs, and why. */
function choosePlace(
  { files: { manifest }, graph }: CheckedModel,
  { runMs, batchRunMs, batchRows, unboundedReason }: WarmUp,
  { openMs }: Trial,
  mayBlock: boolean,
): { kind: Executor['kind']; reason: string } {
  const wanted = manifest.runtime?.executor ?? 'auto';
  if (wanted !== 'auto') return { kind: wanted, reason: 'the manifest says so' };
  const risk = findRunRisk(graph) ?? unboundedReason;
  if (risk !== undefined) return { kind: 'isolated', reason: risk };
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
function findUncachedReason(
  { files: { manifest }, graph }: CheckedModel,
  { isRepeatable }: WarmUp,
): string | undefined {
  const random = findRandomness(graph);
  if (random !== undefined) return `the graph holds a ${random}`;
  const training = findTrainingMode(graph);
  if (training !== undefined) return `${training} runs in training mode`;
  if (!isRepeatable) return 'it answers the same row differently each time';
  return manifest.runtime?.cache === false ? 'the manifest says so' : undefined;
}

/** Reads the graph and refuses what the engine would not survive. */
async function inspectGraph(model: Uint8Array): Promise<ServedGraph> {
  const served = await readServedGraphInSlices(model);
  const fault = (await findTreeFaultInSlices(served.graph)) ?? findZipMapFault(served.graph);
  if (fault !== undefined) throw new RefusedError(`model.onnx: ${fault}`);
  return served;
}

function toRefusal(error: unknown, graph: ModelGraph | undefined): unknown {
  const reason = messageOf(error);
  if (error instanceof GraphError) return new RefusedError(`model.onnx ${reason}`, { cause: error });
  if (error instanceof HostLostError || error instanceof TrialTimeoutError) {
    const advice = adviseOnCrash(reason, graph?.opTypes);
    return new RefusedError(`the engine does not survive model.onnx: ${reason}${advice}`, { cause: error });
  }
  if (error instanceof EngineError) {
    return new RefusedError(`the engine refuses model.onnx: ${withAdvice(reason)}`, { cause: error });
  }
  if (error instanceof ServiceError)
    return new RefusedError(`the model cannot be used: ${reason}`, { cause: error });
  return error;
}
