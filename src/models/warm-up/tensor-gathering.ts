import type { Sandbox } from '../../inference/runner/sandbox.js';
import { countBytes } from '../../inference/tensors/bytes.js';
import type { TensorSpec } from '../../inference/tensors/json-read-element.js';
import type { Tensors } from '../../inference/tensors/tensor.js';
import type { Golden } from '../examples/golden.js';
import type { Manifest } from '../manifest/manifest.js';
import { maxInlineRunMs, withDefaults } from '../manifest/runtime-defaults.js';
import { countRows, joinRows, shapeOf, sliceRows } from '../tensors/tensor-rows.js';
import type { TensorCodec } from '../tensors/tensor-task.js';
import { countOrdinary } from './sample-rows.js';
import { createSampleTensors } from './sample-tensors.js';
import type { Base } from './tensor-warm-up.js';
import { type CompanyResult, countSamples, judgeCompany, tryAlone } from './try-samples.js';
import type { WarmUpLimits } from './warm-up.js';

/** The smallest size is chosen whose time per row is at most this many times the best: its answers come sooner. */
const goodEnough = 1.15;
/** Larger sizes are tried until a run takes longer. */
const maxTriedRunMs = 250;

export interface GatheringSandbox {
  readonly form: TensorCodec;
  readonly base: Base;
  readonly golden: Golden | undefined;
  readonly sandbox: Sandbox;
  /** Of the base request. */
  readonly runMs: number;
  readonly limits: WarmUpLimits;
  readonly manifest: Manifest;
}

export interface Gathering extends Size {
  /** Whether rows do not depend on each other, so that requests may share runs and be cut into rows. */
  readonly isIndependent: boolean;
  readonly rowMs: number;
  readonly company: CompanyResult;
}

/** The largest number of rows of a run, and how long a run of that size takes. */
interface Size {
  readonly batchRows: number;
  readonly batchRunMs: number;
}

/** Decides from declared shapes, then from runs, whether requests may share runs and how many rows a run may have. */
export async function judgeGathering(given: GatheringSandbox): Promise<Gathering> {
  const { form, base, sandbox, runMs, limits, manifest } = given;
  const { maxBatchRows, timeoutMs } = withDefaults(manifest.runtime);
  const alone = (company: CompanyResult): Gathering => ({
    isIndependent: false,
    batchRows: 1,
    rowMs: runMs,
    batchRunMs: runMs,
    company,
  });
  const shapeReason = findShapeReason(form.inputs);
  const names = Object.keys(base.outputs);
  if (shapeReason !== undefined) {
    const again = (): Promise<Tensors> => sandbox.run(base.run.feeds, names);
    const single = {
      alone: [base.outputs],
      maxRows: 1,
      run: again,
      rowsOf: () => 1,
      ordinary: 1,
      isCut: false,
    };
    return alone({ ...(await judgeCompany(sandbox, undefined, single)), reason: shapeReason });
  }
  const samples = createSamples(given);
  const tried = await tryAlone(sandbox, samples, (feeds) => sandbox.run(feeds, names, timeoutMs));
  const misfit = tried
    .flatMap(({ outputs }) => Object.entries(outputs))
    .find(([, { dims }]) => dims[0] !== 1);
  if (misfit !== undefined) {
    const reason = `the first dimension of the output ${misfit[0]} does not count rows`;
    return alone({ isRepeatable: true, reason });
  }
  const rows = tried.map(({ sample }) => sample);
  const run = (numbers: readonly number[]) =>
    sandbox.run(joinRows(numbers.map((k) => rows[k] as Tensors)), names);
  const [first] = tried;
  const size =
    first === undefined || tried.length < 2
      ? { batchRows: maxBatchRows, rowMs: runMs, batchRunMs: runMs }
      : await findSize(sandbox, run, rows.length, countBytes(first.outputs), given);
  const company = await judgeCompany(sandbox, limits.sharedReason, {
    alone: tried.map(({ outputs }) => outputs),
    maxRows: Math.max(2, size.batchRows),
    run,
    rowsOf: (samplesOfRun) => samplesOfRun,
    ordinary: rows.filter((it) => samples.indexOf(it) < countOrdinary(samples.length)).length,
    isCut: true,
  });
  return company.reason === undefined ? { ...size, isIndependent: true, company } : alone(company);
}

function findShapeReason(inputs: readonly TensorSpec[]): string | undefined {
  const symbols = new Set<string | undefined>();
  for (const { name, dims } of inputs) {
    if (dims === undefined) return `the input ${name} does not declare its dimensions`;
    const [first, ...others] = dims;
    if (dims.length === 0) return `the input ${name} has no dimensions`;
    if (typeof first === 'number') return `the graph fixes the first dimension of the input ${name}`;
    if (first !== undefined && others.includes(first)) {
      return `the input ${name} has the dimension ${first} twice, as its first and as another one`;
    }
    symbols.add(first);
  }
  // If the first dimensions share a name, the check of a request requires equal numbers of rows.
  if (inputs.length > 1 && symbols.has(undefined)) return 'the first dimensions of the inputs have no names';
  return symbols.size > 1 ? 'the first dimensions of the inputs have different names' : undefined;
}

/** Rows of the golden requests that have the shape of the base request, then rows with drawn values. */
function createSamples({ form, base, golden, runMs }: GatheringSandbox): readonly Tensors[] {
  const count = countSamples(runMs / countRows(base.run));
  const rows: Tensors[] = [];
  for (const instance of golden?.instances ?? []) {
    if (rows.length >= count / 2) break;
    try {
      const run = form.read(instance);
      if (shapeOf(run) === shapeOf(base.run)) {
        for (let k = 0; k < countRows(run); k += 1) rows.push(sliceRows(run.feeds, k, 1));
      }
    } catch {
      // `checkGolden` reports a golden request that does not fit.
    }
  }
  const known = rows.slice(0, Math.max(1, Math.floor(count / 2)));
  return [...known, ...createSampleTensors(base.run.feeds, count - known.length)];
}

/**
 * The smallest size from which more rows hardly shorten the time per row. If the version may run on the server's
 * thread, no run takes longer than `maxInlineRunMs`.
 */
async function findSize(
  sandbox: Sandbox,
  run: (numbers: readonly number[]) => Promise<unknown>,
  samples: number,
  bytesOfRow: number,
  { limits, manifest }: GatheringSandbox,
): Promise<Size & { readonly rowMs: number }> {
  const { maxBatchRows, timeoutMs } = withDefaults(manifest.runtime);
  const isGiven = manifest.runtime?.maxBatchRows !== undefined;
  const carried = bytesOfRow === 0 ? maxBatchRows : Math.floor(limits.maxOutputBytes / bytesOfRow);
  const most = Math.max(1, Math.min(maxBatchRows, carried));
  const measure = async (rows: number): Promise<number> => {
    const numbers = Array.from({ length: rows }, (_unused, k) => k % samples);
    let fastest = Number.POSITIVE_INFINITY;
    for (let k = 0; k < 3 && (k === 0 || fastest * k < maxTriedRunMs); k += 1) {
      await run(numbers);
      fastest = Math.min(fastest, sandbox.lastRunMs);
    }
    return fastest;
  };
  const rowMs = await measure(1);
  const isShort = limits.mayRunInline && rowMs <= maxInlineRunMs && !isGiven;
  const maxRunMs = isShort ? maxInlineRunMs : Math.min(isGiven ? timeoutMs : maxTriedRunMs, timeoutMs / 2);
  const sizes: Size[] = [{ batchRows: 1, batchRunMs: rowMs }];
  for (let rows = 2; sizes.at(-1)?.batchRows !== most; rows *= 2) {
    const batchRows = Math.min(rows, most);
    const batchRunMs = await measure(batchRows);
    if (batchRunMs > maxRunMs) break;
    sizes.push({ batchRows, batchRunMs });
  }
  const perRow = ({ batchRows, batchRunMs }: Size) => batchRunMs / batchRows;
  const best = Math.min(...sizes.map(perRow));
  const chosen = isGiven ? sizes.at(-1) : sizes.find((size) => perRow(size) <= goodEnough * best);
  return { ...(chosen as Size), rowMs };
}
