import { ServiceError } from '../../errors.js';
import { Batcher, type EntrySize } from '../../inference/batching/batcher.js';
import { RunTimes } from '../../inference/batching/run-times.js';
import type { ModelGraph } from '../../inference/onnx/read-graph.js';
import type { Sandbox } from '../../inference/runner/sandbox.js';
import { countBytes } from '../../inference/tensors/bytes.js';
import type { Tensors } from '../../inference/tensors/tensor.js';
import { listExamples } from '../examples/example-request.js';
import type { Golden } from '../examples/golden.js';
import type { Manifest } from '../manifest/manifest.js';
import { withDefaults } from '../manifest/runtime-defaults.js';
import { toTensorKey } from '../tensors/tensor-key.js';
import { countRows, joinRuns, shapeOf } from '../tensors/tensor-rows.js';
import {
  createTensorCodec,
  createTensorTask,
  type TensorCodec,
  type TensorRun,
} from '../tensors/tensor-task.js';
import { findEmptyAxes } from './empty-axes.js';
import { judgeGathering } from './tensor-gathering.js';
import { isFinal, isRefusal, maxRenewals, renewIfEnded } from './try-samples.js';
import { fastestOf, tooSlow, type WarmUp, type WarmUpLimits } from './warm-up.js';

/** Runs the first golden request or an example, then different rows alone and together. */
export async function warmUpTensors(
  manifest: Manifest,
  graph: ModelGraph,
  sandbox: Sandbox,
  golden: Golden | undefined,
  limits: WarmUpLimits,
): Promise<WarmUp> {
  const settings = withDefaults(manifest.runtime);
  const form = createTensorCodec(graph, manifest.runtime?.maxBatchRows);
  const base = await findBase(form, golden, listExamples(manifest, graph, form.example), sandbox);
  const baseMs =
    base === undefined
      ? Number.NaN
      : await fastestOf(3, sandbox, () => sandbox.run(base.run.feeds, base.run.fetches));
  if (baseMs > settings.timeoutMs) throw tooSlow(baseMs, settings.timeoutMs);
  const gathering =
    base && (await judgeGathering({ form, base, golden, sandbox, runMs: baseMs, limits, manifest }));
  const { rowMs: runMs = baseMs, batchRunMs = baseMs, company } = gathering ?? {};
  const batchRows = gathering?.isIndependent ? gathering.batchRows : undefined;
  const emptyAxes = base && (await findEmptyAxes(form.inputs, base.run, sandbox));
  const askedForm = createTensorCodec(graph, manifest.runtime?.maxBatchRows, emptyAxes);
  return {
    createTask: (executor, options) =>
      createTensorTask(
        askedForm,
        new Batcher({
          ...settings,
          ...options,
          executor,
          toRun: joinRuns,
          textOf: toTensorKey,
          times: new RunTimes(
            ...(base === undefined
              ? []
              : [
                  { rows: 1, ms: runMs },
                  { rows: batchRows ?? 1, ms: batchRunMs },
                ]),
          ),
          maxBatchRows: batchRows ?? 1,
          ...(base === undefined || batchRows === undefined
            ? { maxBatchDelayMs: 0 }
            : { sizeOf: createSizing(form, base.run) }),
        }),
        batchRows,
      ),
    runMs,
    ...(batchRows !== undefined && { batchRunMs }),
    batchRows: batchRows ?? 1,
    batchReason: company?.reason,
    companyFault: company?.fault,
    isRepeatable: company?.isRepeatable ?? true,
    unboundedReason: batchRows === undefined ? findUnboundedReason(form, company?.reason) : undefined,
    outputBytes: base === undefined ? 0 : countBytes(base.outputs),
    runs: base === undefined ? [] : [base.run],
    answers: [],
    strays: 0,
  };
}

/**
 * The share of a run that a request needs. If only the first dimension is open, each row costs what was measured, and
 * all requests may share runs. If not, a row costs in proportion to its elements, and only equal shapes share a run.
 */
function createSizing({ inputs }: TensorCodec, base: TensorRun): (run: TensorRun) => EntrySize {
  const isFixed = inputs.every(({ dims }) => dims?.slice(1).every((dim) => typeof dim === 'number') ?? false);
  const measured = countElements(base) / countRows(base);
  return (run) => {
    const rows = countRows(run);
    if (isFixed) return { rows, weight: rows, group: '' };
    return { rows, weight: Math.max(rows, Math.ceil(countElements(run) / measured)), group: shapeOf(run) };
  };
}

function countElements({ feeds }: TensorRun): number {
  let elements = 0;
  for (const name in feeds) elements += feeds[name]?.data.length ?? 0;
  return Math.max(1, elements);
}

/** Why the run time of a request has no bound: it may have any number of rows, which cannot be cut into short runs. */
function findUnboundedReason({ inputs }: TensorCodec, reason: string | undefined): string | undefined {
  const open = inputs.find(
    ({ dims }) => dims === undefined || (dims.length > 0 && typeof dims[0] !== 'number'),
  );
  if (open === undefined) return undefined;
  return `a request may have any number of rows in one run: ${reason ?? 'no request was answered at the load'}`;
}

/** A request that the engine accepts, and its outputs. */
export interface Base {
  readonly run: TensorRun;
  readonly outputs: Tensors;
}

/** The first golden request if there is one, else the first example that the engine accepts: an example is a guess. */
async function findBase(
  form: TensorCodec,
  golden: Golden | undefined,
  examples: Iterable<unknown>,
  sandbox: Sandbox,
): Promise<Base | undefined> {
  let ends = 0;
  for (const body of golden === undefined ? examples : [golden.instances[0]]) {
    try {
      const run = form.read(body);
      return { run, outputs: await sandbox.run(run.feeds, run.fetches) };
    } catch (error) {
      // `checkGolden` reports a golden request that fails.
      if (isFinal(error)) throw error;
      if (!isRefusal(error) && !(error instanceof ServiceError)) throw error;
      if (isRefusal(error) && (await renewIfEnded(sandbox, error))) ends += 1;
      if (ends === maxRenewals) break;
    }
  }
  return undefined;
}
