import { EngineError } from '../../inference/engine/engine-error.js';
import { RunnerLostError, tookTooMuchMemory } from '../../inference/runner/runner-process.js';
import { type Sandbox, SandboxTimeoutError } from '../../inference/runner/sandbox.js';
import type { Tensors } from '../../inference/tensors/tensor.js';
import { type Company, type CompanyFault, findCompanyFault, isRepeatable } from './company.js';

const maxSamples = 16;
const maxSamplingMs = 500;
/** So many samples may end the child that tries them; then no more are tried. */
export const maxRenewals = 3;

/** How many samples are run alone, where each run takes so long. */
export function countSamples(runMs: number): number {
  return Math.min(maxSamples, Math.max(2, Math.floor(maxSamplingMs / runMs)));
}

export interface TriedSample<Sample> {
  readonly sample: Sample;
  readonly outputs: Tensors;
}

/**
 * Runs each sample alone. One that the engine refuses is left out, and so is one that ends the child, which is renewed
 * then: that is what the sample's clients would see, and no reason to refuse the version.
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

export interface CompanyVerdict {
  /** Whether the same row is answered the same each time. */
  readonly isRepeatable: boolean;
  /** Why a run may not gather rows, in words; undefined where it may. */
  readonly reason?: string;
  readonly fault?: CompanyFault;
}

/** Whether runs may gather rows of different requests. `knownReason` is what the graph says against it. */
export async function judgeCompany(
  sandbox: Sandbox,
  knownReason: string | undefined,
  company: Company,
): Promise<CompanyVerdict> {
  try {
    if (!(await isRepeatable(company))) {
      return { isRepeatable: false, reason: knownReason ?? 'it answers the same row differently each time' };
    }
    if (company.maxRows < 2) return { isRepeatable: true };
    if (company.alone.length < 2) {
      const reason = knownReason ?? 'fewer than two of the rows that were tried are answered';
      return { isRepeatable: true, reason };
    }
    const fault = await findCompanyFault(company);
    if (fault === undefined)
      return { isRepeatable: true, ...(knownReason !== undefined && { reason: knownReason }) };
    return { isRepeatable: true, reason: knownReason ?? describe(fault), fault };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    await renewIfEnded(sandbox, error);
    const reason = knownReason ?? 'the engine refuses rows together that it takes alone';
    return { isRepeatable: true, reason };
  }
}

/** What the engine, or its end, says of an input: no fault of ours. */
export function isRefusal(error: unknown): boolean {
  return (
    error instanceof EngineError || error instanceof RunnerLostError || error instanceof SandboxTimeoutError
  );
}

/** What no other row would do better at: the time that a load may take, and the memory of a child. */
export function isFinal(error: unknown): boolean {
  return error instanceof SandboxTimeoutError || tookTooMuchMemory(error);
}

/** Opens the model again where the failed run has ended its child; whether it has. */
export async function renewIfEnded(sandbox: Sandbox, error: unknown): Promise<boolean> {
  if (error instanceof EngineError) return false;
  await sandbox.renew();
  return true;
}

function describe({ output, difference, rows }: CompanyFault): string {
  const size = Number.isFinite(difference) ? ` by ${(difference * 100).toPrecision(2)} %` : '';
  return `the answer to a row changes with the other rows of its run: ${output} differs${size} among ${rows} rows`;
}
