import { messageOf, RefusedError, ServiceError } from '../../errors.js';
import { Batcher } from '../../inference/batching/batcher.js';
import { RunTimes } from '../../inference/batching/run-times.js';
import { EngineError } from '../../inference/engine/engine-error.js';
import type { ModelGraph } from '../../inference/onnx/read-graph.js';
import type { Sandbox } from '../../inference/runner/sandbox.js';
import { countBytes } from '../../inference/tensors/bytes.js';
import type { Tensors } from '../../inference/tensors/tensor.js';
import { nextTurn } from '../../time/slices.js';
import { bindInputs } from '../binding/bind-inputs.js';
import { bindOutputs } from '../binding/bind-outputs.js';
import type { Golden } from '../examples/golden.js';
import type { Decode } from '../features/decode.js';
import { createEncoder, type Row } from '../features/encode.js';
import { createExampleRow, createOtherRows } from '../features/example-row.js';
import { createEntryText, flattenEntries, sizeOfEntry } from '../features/feature-rows.js';
import { createFeatureSchema, type FeatureSchema } from '../features/feature-schema.js';
import { createFeatureTask } from '../features/feature-task.js';
import { createRowKey } from '../features/row-key.js';
import type { Manifest } from '../manifest/manifest.js';
import { withDefaults } from '../manifest/runtime-defaults.js';
import { createRowHash } from '../tasks/request-hash.js';
import type { AnswerValue } from '../tasks/task.js';
import { countOrdinary, createSampleRows } from './sample-rows.js';
import { countSamples, isFinal, isRefusal, judgeCompany, renewIfEnded, tryAlone } from './try-samples.js';
import { fastestOf, tooSlow, type WarmUp, type WarmUpLimits } from './warm-up.js';

/** Runs one row, two rows, different rows alone and together, a full batch. Throws `RefusedError` if no row works. */
export async function warmUpFeatures(
  manifest: Manifest,
  graph: ModelGraph,
  sandbox: Sandbox,
  golden: Golden | undefined,
  limits: WarmUpLimits,
): Promise<WarmUp> {
  const { inputs, typed, fixedRows } = bindInputs(manifest, graph);
  const outputs = bindOutputs(manifest, graph);
  const encode = createEncoder(inputs, fixedRows);
  const settings = withDefaults(manifest.runtime);
  await nextTurn();
  const features = createFeatureSchema(manifest.name, typed);
  await nextTurn();
  const { fetches } = outputs;
  const run = (rows: readonly Row[], limitMs?: number) => sandbox.run(encode(rows), fetches, limitMs);

  const known = soundRow(features, golden);
  const plain = createExampleRow(typed);
  const candidates = known === undefined ? [plain, ...createOtherRows(typed)] : [known];
  const { row, outputs: one } = await findBase(sandbox, candidates, (candidate) => run([candidate]));
  // Two rows show which elements belong to a row; one row shows that the graph accepts a single row.
  const two = await run([row, row]);
  const { decode, classes } = outputs.complete(two, fixedRows ?? 2);
  outputs.complete(one, fixedRows ?? 1);
  const runMs = await fastestOf(10, sandbox, () => run([row]));
  if (runMs > settings.timeoutMs) throw tooSlow(runMs, settings.timeoutMs);
  // A full batch must take at most half of the time limit of a run, and its outputs must fit into maxOutputBytes.
  const affordableRows = Math.floor(settings.timeoutMs / 2 / runMs);
  const wantedRows = manifest.runtime?.maxBatchRows ?? Math.min(settings.maxBatchRows, affordableRows);
  const maxCarriedRows = Math.floor(limits.maxOutputBytes / (countBytes(one) / (fixedRows ?? 1)));
  const maxRows = Math.max(1, Math.min(fixedRows ?? wantedRows, wantedRows, maxCarriedRows));

  await nextTurn();
  const samples = createSampleRows(typed, features, row, golden?.instances ?? [], countSamples(runMs));
  const tried = await tryAlone(sandbox, samples, (sample) => run([sample], settings.timeoutMs));
  const rows = tried.map((it) => it.sample);
  const company = await judgeCompany(sandbox, limits.sharedReason, {
    alone: tried.map((it) => it.outputs),
    maxRows,
    run: (numbers) => run(numbers.map((k) => rows[k] as Row)),
    rowsOf: (samplesOfRun) => fixedRows ?? samplesOfRun,
    ordinary: rows.filter((it) => samples.indexOf(it) < countOrdinary(samples.length)).length,
    // Each row is read from its position among all elements, independent of the dimensions.
    isCut: false,
  });
  const batchRows = company.reason === undefined ? maxRows : 1;
  const mixed = Array.from({ length: batchRows }, (_unused, k) => rows[k % rows.length] ?? row);
  const full = await run(mixed);
  const batchRunMs = await fastestOf(3, sandbox, () => run(mixed));
  const answers = tried.map((it) => decodeOrError(decode, it.outputs));
  const names = typed.map(({ feature }) => feature.name);
  const toText = createRowKey(names);
  return {
    createTask: (executor, options) =>
      createFeatureTask({
        features,
        toText,
        toHash: createRowHash(names),
        example: plain,
        batcher: new Batcher({
          ...settings,
          ...options,
          maxBatchRows: batchRows,
          executor,
          times: new RunTimes({ rows: 1, ms: runMs }, { rows: batchRows, ms: batchRunMs }),
          toRun: (entries) => ({ feeds: encode(flattenEntries(entries)), fetches }),
          textOf: createEntryText(toText),
          sizeOf: sizeOfEntry,
        }),
        decode,
        hasProbabilities: outputs.hasProbabilities,
        ...(classes && { classes }),
        ...(manifest.output?.names && { names: manifest.output.names }),
      }),
    runMs,
    batchRunMs,
    batchRows,
    batchReason: company.reason,
    companyFault: company.fault,
    isRepeatable: company.isRepeatable,
    outputBytes: countBytes(full),
    runs: [[row], mixed].map((some) => ({ feeds: encode(some), fetches })),
    answers: answers.filter((it): it is AnswerValue => !(it instanceof ServiceError)),
    strays: answers.filter((it) => it instanceof ServiceError && it.code === 'run_failed').length,
    classes,
  };
}

/** The first golden row, if it fits the features. If not, `checkGolden` reports it later. */
function soundRow(features: FeatureSchema, golden: Golden | undefined): Row | undefined {
  try {
    return golden && features.check(golden.instances[0]);
  } catch {
    return undefined;
  }
}

/** The first row that the engine accepts. If it accepts none, throws `RefusedError` with its error on the first row. */
async function findBase(
  sandbox: Sandbox,
  rows: readonly Row[],
  run: (row: Row) => Promise<Tensors>,
): Promise<{ readonly row: Row; readonly outputs: Tensors }> {
  const failures: unknown[] = [];
  for (const row of rows) {
    try {
      return { row, outputs: await run(row) };
    } catch (error) {
      if (!isRefusal(error) || isFinal(error)) throw error;
      failures.push(error);
      await renewIfEnded(sandbox, error);
    }
  }
  const [cause] = failures;
  if (!(cause instanceof EngineError)) throw cause;
  throw new RefusedError(
    `the engine refuses a row made of the features' examples (${messageOf(cause)}): ` +
      'check the order and types of the features, or give each an "example"',
    { cause },
  );
}

function decodeOrError(decode: Decode, outputs: Tensors): AnswerValue | ServiceError {
  try {
    return decode(outputs, 0);
  } catch (error) {
    if (error instanceof ServiceError) return error;
    throw error;
  }
}
