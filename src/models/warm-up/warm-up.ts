import { RefusedError } from '../../errors.js';
import type { Executor } from '../../inference/engine/executor.js';
import type { Sandbox } from '../../inference/runner/sandbox.js';
import { maxInlineRunMs } from '../manifest/runtime-defaults.js';
import type { AnswerValue, Scalar, Task } from '../tasks/task.js';
import type { TensorRun } from '../tensors/tensor-task.js';
import type { CompanyFault } from './company.js';

/** What runs in a child have shown of a version, before any client is answered by it. */
export interface WarmUp {
  /** The task over any executor of this version, with other limits than the manifest's where they are given. */
  createTask(executor: Executor, options?: TaskOptions): Task;
  /** Milliseconds of the engine: the shortest of some runs of one row, and of a full batch where there are such. */
  readonly runMs: number;
  readonly batchRunMs?: number;
  readonly batchRows: number;
  /** Why a run has one row, or one request, where more were wanted. */
  readonly batchReason?: string | undefined;
  /** Whether the same row is answered the same each time. */
  readonly isRepeatable: boolean;
  /** Why a request may take any time, so that it must not run on the server's thread. */
  readonly unboundedReason?: string | undefined;
  /** How an answer in company differed from the answer alone. */
  readonly companyFault?: CompanyFault | undefined;
  /** Bytes of the outputs of a full batch, as tensors. */
  readonly outputBytes: number;
  /** A run of one row, and one of a full batch: what a new session is warmed up with. */
  readonly runs: readonly TensorRun[];
  /** The answers to the rows that were tried. */
  readonly answers: readonly AnswerValue[];
  /** Of the rows that were tried, those whose label is none of the classes. */
  readonly strays: number;
  /** Of a classification: those that the manifest lists, or those that its labels are taken to be. */
  readonly classes?: readonly Scalar[] | undefined;
}

export interface TaskOptions {
  readonly timeoutMs?: number;
  readonly maxQueueRows?: number;
  readonly onFatal?: ((requestId: string | undefined, how: string) => void) | undefined;
}

export interface WarmUpLimits {
  readonly maxOutputBytes: number;
  /** What in the graph makes rows depend on each other, in words. */
  readonly sharedReason?: string | undefined;
  /** Whether the graph may run on the server's thread, if its runs are short. */
  readonly mayRunInline: boolean;
}

const maxDoubtMs = 50;

/**
 * The shortest of some runs, in the engine's own milliseconds. What seems too long for the server's thread is tried
 * again for a while: a machine that was busy at the wrong moment must not decide where a version runs.
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
