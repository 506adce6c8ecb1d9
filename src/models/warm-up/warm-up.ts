import { RefusedError } from '../../errors.js';
import type { Executor } from '../../inference/engine/executor.js';
import type { Sandbox } from '../../inference/runner/sandbox.js';
import { maxInlineRunMs } from '../manifest/runtime-defaults.js';
import type { AnswerValue, Scalar, Task } from '../tasks/task.js';
import type { TensorRun } from '../tensors/tensor-task.js';
import type { CompanyFault } from './company.js';

/** What the runs in a child have shown about a version, before it answers any client. */
export interface WarmUp {
  /** Makes the task over any executor of this version. `options` replace limits of the manifest. */
  createTask(executor: Executor, options?: TaskOptions): Task;
  /** Milliseconds of the engine: the shortest of several runs of one row, and of a full batch if runs gather rows. */
  readonly runMs: number;
  readonly batchRunMs?: number;
  readonly batchRows: number;
  /** Why a run has only one row or one request, although more were wanted. */
  readonly batchReason?: string | undefined;
  /** Whether the same row gets the same answer each time. */
  readonly isRepeatable: boolean;
  /** Why the run time of a request has no bound, so that the version must not run on the server's thread. */
  readonly unboundedReason?: string | undefined;
  readonly companyFault?: CompanyFault | undefined;
  readonly outputBytes: number;
  /** A run of one row and a run of a full batch, which warm up a new session. */
  readonly runs: readonly TensorRun[];
  readonly answers: readonly AnswerValue[];
  /** Number of tried rows whose label is none of the classes. */
  readonly strays: number;
  /** Classes of a classification, from the manifest or derived from the outputs. */
  readonly classes?: readonly Scalar[] | undefined;
}

export interface TaskOptions {
  readonly timeoutMs?: number;
  readonly maxQueueRows?: number;
  readonly onFatal?: ((requestId: string | undefined, how: string) => void) | undefined;
}

export interface WarmUpLimits {
  readonly maxOutputBytes: number;
  /** Why rows depend on each other in this graph, as text. */
  readonly sharedReason?: string | undefined;
  readonly mayRunInline: boolean;
}

const maxDoubtMs = 50;

/**
 * The shortest of `times` runs, in the engine's own milliseconds. Runs that seem too long for the server's thread are
 * repeated for up to 50 ms, so that a busy machine does not decide where a version runs.
 */
export async function fastestOf(
  times: number,
  sandbox: Sandbox,
  run: () => Promise<unknown>,
): Promise<number> {
  let fastest = Number.POSITIVE_INFINITY;
  const until = performance.now() + maxDoubtMs;
  for (let k = 0; k < times || (fastest > maxInlineRunMs && performance.now() < until); k += 1) {
    await run();
    fastest = Math.min(fastest, sandbox.lastRunMs);
  }
  return fastest;
}

export function tooSlow(runMs: number, timeoutMs: number): RefusedError {
  return new RefusedError(
    `a run of one row takes ${runMs.toFixed(0)} ms, and timeoutMs is ${timeoutMs}: raise /runtime/timeoutMs`,
  );
}
