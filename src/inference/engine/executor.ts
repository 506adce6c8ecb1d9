import type { Tensors } from '../tensors/tensor.js';

/** Runs tensors through one session. What a run throws is the engine's, and not for a client's eyes. */
export interface Executor {
  readonly kind: 'inline' | 'isolated';
  /** Why no run can be made at the moment, in words for an operator. */
  readonly fault?: string | undefined;
  /**
   * Runs the graph and gives the named outputs. Throws `output_too_large` where they are; where runs are in a process
   * that can be ended, also what `RunEndedError` says. A run that takes longer than `limitMs` is ended.
   */
  run(feeds: Tensors, fetches: readonly string[], limitMs?: number): Promise<Tensors>;
  /** Releases the session. The caller sees to it that no run is under way. */
  close(): void;
}

/**
 * The process of a run has ended during the run: by itself, such as by SIGFPE, or because it was killed at its limit.
 * It is the cause of the `executor_lost` or `deadline_exceeded` that `Executor.run` throws then.
 */
export class RunEndedError extends Error {
  override readonly name = 'RunEndedError';
  /** Whether the run was ended for taking too long. */
  readonly isLate: boolean;

  /** `how` is a signal, an exit code, or a reason, in words for an operator. */
  constructor(how: string, isLate: boolean, options?: ErrorOptions) {
    super(how, options);
    this.isLate = isLate;
  }
}
