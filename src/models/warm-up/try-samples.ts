import { EngineError } from '../../inference/engine/engine-error.js';
import { RunnerLostError, tookTooMuchMemory } from '../../inference/runner/runner-process.js';
import { type Sandbox, SandboxTimeoutError } from '../../inference/runner/sandbox.js';
import type { Tensors } from '../../inference/tensors/tensor.js';
import { type Company, type CompanyFault, findCompanyFault, isRepeatable } from './company.js';

const maxSamples = 16;
const maxSamplingMs = 500;
/** Samples that may end the child before the trial stops. */
export const maxRenewals = 3;

export function countSamples(runMs: number): number {
  return Math.min(maxSamples, Math.max(2, Math.floor(maxSamplingMs / runMs)));
}

export interface TriedSample<Sample> {
  readonly sample: Sample;
  readonly outputs: Tensors;
}

/**
 * Runs each sample alone. Leaves out samples that the engine refuses or that end the child, which is renewed: a client
 * gets an error for such a row, which is no reason to refuse the version.
 */
export async function tryAlone<Sample>(
  sandbox: Sandbox,
  samples: readonly Sample[],
  run: (sample: Sample) => Promise<Tensors>,
): Promise<readonly TriedSample<Sample>[]> {
  const tried: TriedSample<Sample>[] = [];
  let renewals = 0;
  for (const sample of samples) {
    try {
      tried.push({ sample, outputs: await run(sample) });
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (await renewIfEnded(sandbox, error)) renewals += 1;
      if (renewals === maxRenewals) break;
    }
  }
  return tried;
}

export interface CompanyResult {
  readonly isRepeatable: boolean;
  /** Why a run may not gather rows, as text; undefined if it may. */
  readonly reason?: string;
  readonly fault?: CompanyFault;
}

/** Whether runs may gather rows of different requests. `knownReason`: why the graph says that they may not. */
export async function judgeCompany(
  sandbox: Sandbox,
  knownReason: string | undefined,
  company: Company,
): Promise<CompanyResult> {
  try {
    if (!(await isRepeatable(company))) {
      return { isRepeatable: false, reason: knownReason ?? 'it answers the same row differently each time' };
    }
    if (company.maxRows < 2) return { isRepeatable: true };
    if (company.alone.length < 2) {
      const reason = knownReason ?? 'fewer than two of the tried rows get an answer';
      return { isRepeatable: true, reason };
    }
    const fault = await findCompanyFault(company);
    if (fault === undefined)
      return { isRepeatable: true, ...(knownReason !== undefined && { reason: knownReason }) };
    return { isRepeatable: true, reason: knownReason ?? describe(fault), fault };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    await renewIfEnded(sandbox, error);
    const reason =
      knownReason ?? 'the engine refuses several rows in one run, although it accepts each row alone';
    return { isRepeatable: true, reason };
  }
}

/** Whether the engine refused the input or ended because of it. */
export function isRefusal(error: unknown): boolean {
  return (
    error instanceof EngineError || error instanceof RunnerLostError || error instanceof SandboxTimeoutError
  );
}

/** Whether another row would fail too: the load has no time left, or the child uses too much memory. */
export function isFinal(error: unknown): boolean {
  return error instanceof SandboxTimeoutError || tookTooMuchMemory(error);
}

/** Opens the model again if the failed run has ended its child. Returns whether it did. */
export async function renewIfEnded(sandbox: Sandbox, error: unknown): Promise<boolean> {
  if (error instanceof EngineError) return false;
  await sandbox.renew();
  return true;
}

function describe({ output, difference, rows }: CompanyFault): string {
  const size = Number.isFinite(difference) ? ` by ${(difference * 100).toPrecision(2)} %` : '';
  return `the answer to a row changes with the other rows of its run: ${output} differs${size} in a run of ${rows} rows`;
}
