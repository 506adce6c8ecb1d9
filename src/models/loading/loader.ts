import { findSharedReason } from '../../inference/analysis/graph-company.js';
import { judgeGraphInSlices } from '../../inference/analysis/graph-judge.js';
import { createCall } from '../../inference/batching/call-context.js';
import type { Executor } from '../../inference/engine/executor.js';
import type { ModelGraph } from '../../inference/onnx/read-graph.js';
import { RunnerPool } from '../../inference/runner/runner-pool.js';
import { Sandboxes, type SandboxOptions, type SandboxSource } from '../../inference/runner/sandbox.js';
import { nextTurn } from '../../time/slices.js';
import { findExample, listExamples } from '../examples/example-request.js';
import { checkGolden, type Golden, parseGolden } from '../examples/golden.js';
import { withDefaults } from '../manifest/runtime-defaults.js';
import { removeAbandonedCopies } from '../private-copy/abandoned-copies.js';
import type { Notify } from '../private-copy/notify.js';
import type { PrivateCopy } from '../private-copy/private-copy.js';
import { LoadedVersion } from '../registry/loaded-version.js';
import { warmUpFeatures } from '../warm-up/feature-warm-up.js';
import { warmUpTensors } from '../warm-up/tensor-warm-up.js';
import { chooseExecutor } from './choose-executor.js';
import { copyOut } from './copy-out.js';
import { refuseImprobable } from './improbable.js';
import { inspectGraph } from './inspect-graph.js';
import { doubtsOf, noteOnStrays } from './label-doubts.js';
import { type CheckedModel, openInline, openIsolated } from './open-executor.js';
import { readReference } from './read-reference.js';
import { refuseTraining, refuseUnrepeatable } from './refuse-training.js';
import { toRefusal } from './to-refusal.js';
import { findUncachedReason } from './uncached-reason.js';
import { readVersionFiles } from './version-files.js';
import { findNotes } from './version-notes.js';

export interface LoaderOptions extends Omit<SandboxOptions, 'pool'> {
  readonly maxMemoryBytes: number;
  /** Where versions are tried: in children by default. */
  readonly sandboxes?: SandboxSource | undefined;
  /** Called when a child of an isolated version ends unexpectedly. */
  readonly onLost?: ((model: string, version: string, how: string) => void) | undefined;
  readonly onNotice?: Notify | undefined;
  /** Called when one request has ended the process of an isolated version. */
  readonly onFatal?: ((event: FatalEvent) => void) | undefined;
}

export interface FatalEvent {
  readonly model: string;
  readonly version: string;
  readonly requestId: string | undefined;
  /** A signal or a reason. */
  readonly how: string;
  /** Operators of the version's graph. */
  readonly operators: readonly string[];
}

/** Loads versions, and keeps the children in which it tries them. */
export interface Loader {
  /**
   * Loads one version in this order: digests, graph, then, in a child, engine, warm-up and golden rows. So the engine
   * opens only undamaged files, and a version serves only after its golden rows pass. The measurements of the child
   * decide where the version runs. Throws `RefusedError`, which clients may read, for a fault of the version;
   * clients must not see other errors.
   */
  load(path: string, model: string, version: string): Promise<LoadedVersion>;
  /** Ends the children that serve no version, and aborts loads that still run. */
  close(): void;
}

export function createLoader(options: LoaderOptions): Loader {
  const pool = new RunnerPool(options.maxMemoryBytes);
  const { sandboxes = new Sandboxes({ ...options, pool }) } = options;
  const closing = new AbortController();
  let sweep: Promise<void> | undefined;
  return {
    async load(path, model, version) {
      const started = performance.now();
      // The child starts while the files are read.
      sandboxes.prepare();
      sweep ??= removeAbandonedCopies(options.onNotice);
      await sweep;
      let copy: PrivateCopy | undefined;
      let graph: ModelGraph | undefined;
      try {
        closing.signal.throwIfAborted();
        const read = await readVersionFiles(path, model, version);
        const golden = read.golden && parseGolden(read.golden);
        const served = await inspectGraph(read.model);
        graph = served.graph;
        await nextTurn();
        refuseTraining(read.manifest, graph);
        // `model` becomes the bytes for the engine, which may differ from the file; `identity` stays that of the file.
        const files = { ...read, model: served.model };
        if (graph.externalData.length > 0)
          copy = await copyOut(files, graph, closing.signal, options.onNotice);
        closing.signal.throwIfAborted();
        return await loadChecked({ files, graph, copy }, golden, { ...options, sandboxes, pool }, started);
      } catch (error) {
        await copy?.remove();
        // A load that the server's own end cut off says nothing about the model.
        throw closing.signal.aborted ? closing.signal.reason : toRefusal(error, graph);
      }
    },
    close() {
      closing.abort();
      sandboxes.close();
      pool.close();
    },
  };
}

async function loadChecked(
  model: CheckedModel,
  golden: Golden | undefined,
  options: LoaderOptions & { readonly sandboxes: SandboxSource; readonly pool: RunnerPool },
  started: number,
): Promise<LoadedVersion> {
  const { files, graph, copy } = model;
  const { manifest, identity } = files;
  const { intraOpNumThreads: threads, timeoutMs } = withDefaults(manifest.runtime);
  const { sandboxes, pool, loadTimeoutMs, maxOutputBytes } = options;
  const about = { model: manifest.name, version: manifest.version };
  const title = `sardonyx ${manifest.name}/${manifest.version}`;
  const sandbox = await sandboxes.open({
    model: (await copy?.provide()) ?? { bytes: files.model },
    threads,
    title,
  });
  let isKept = false;
  try {
    const freeInputs = manifest.task === 'tensor' ? 'declared' : 'rows';
    const { unproven } = await judgeGraphInSlices(graph, { freeInputs });
    await nextTurn();
    const mayRunInline = unproven === undefined && manifest.runtime?.executor !== 'isolated';
    const limits = { maxOutputBytes, sharedReason: findSharedReason(graph), mayRunInline };
    await nextTurn();
    const warm =
      manifest.task === 'tensor'
        ? await warmUpTensors(manifest, graph, sandbox, golden, limits)
        : await warmUpFeatures(manifest, graph, sandbox, golden, limits);
    if (!warm.isRepeatable) refuseUnrepeatable(manifest, graph);
    const fetches = warm.runs[0]?.fetches ?? [];
    refuseImprobable(fetches, warm.answers);
    const leftNotes = findNotes(manifest, graph, fetches);
    const strayNotes = noteOnStrays(fetches, warm);
    const doubts = doubtsOf(manifest, fetches);
    // Golden rows show more about the label than drawn rows.
    if (golden === undefined) for (const value of warm.answers) doubts?.add(value);
    const tried = warm.createTask(
      { kind: 'inline', run: sandbox.run, close() {} },
      { timeoutMs: loadTimeoutMs, maxQueueRows: golden?.instances.length ?? 1 },
    );
    const answer = async (body: unknown) => {
      const call = createCall({ arrivedAt: performance.now() }, loadTimeoutMs);
      const given = await tried.check(body).answer(call);
      doubts?.add(given.value);
      return given;
    };
    if (golden !== undefined) await checkGolden(golden, manifest.task, answer);
    const candidates = listExamples(manifest, graph, tried.example);
    const example = await findExample(candidates, golden, answer, sandbox);
    const { addedBytes, residentBytes } = await sandbox.measure();
    const { kind, reason } = chooseExecutor(model, warm, sandbox, unproven);
    let executor: Executor;
    if (kind === 'inline') executor = await openInline(model, threads, maxOutputBytes, warm.runs);
    else {
      isKept = true;
      const onLost = (how: string) => options.onLost?.(manifest.name, manifest.version, how);
      executor = await openIsolated(model, sandbox, {
        ...{ threads, timeoutMs, loadTimeoutMs, maxOutputBytes, residentBytes, pool, title, onLost },
        onNotice: options.onNotice,
        warmUp: warm.runs[0],
      });
    }
    const { reference, referenceFault } = readReference(files);
    const { runMs, batchRunMs, batchRows, batchReason, companyFault, outputBytes } = warm;
    const isDependent = companyFault !== undefined || limits.sharedReason !== undefined;
    const loadStats = {
      loadMs: performance.now() - started,
      openMs: sandbox.openMs,
      runMs,
      ...(batchRunMs !== undefined && { batchRunMs }),
      batchRows,
      ...(batchReason !== undefined && { batchReason }),
      ...(companyFault !== undefined && { batchDifference: companyFault.difference }),
      outputBytes,
      // A child that tried other versions before may grow by less than the model, since it reuses their memory.
      memoryBytes: kind === 'inline' ? Math.max(addedBytes, files.model.length) : residentBytes,
      goldenRows: golden?.instances.length ?? 0,
      executorReason: reason,
      uncachedReason: findUncachedReason(model, warm),
      notes: [
        ...leftNotes,
        ...(doubts?.note === undefined ? [] : [doubts.note]),
        ...strayNotes,
        ...(referenceFault === undefined ? [] : [`drift is not detected: ${referenceFault}`]),
        ...(isDependent ? [`requests do not share runs: ${batchReason}`] : []),
      ],
    };
    const operators = [...graph.opTypes].sort();
    const onFatal = (requestId: string | undefined, how: string) =>
      options.onFatal?.({ ...about, requestId, how, operators });
    const task = Object.assign(warm.createTask(executor, { onFatal }), example);
    return new LoadedVersion({ manifest, identity, task, loadStats, executor, reference, referenceFault });
  } finally {
    if (!isKept) await sandbox.close();
  }
}
