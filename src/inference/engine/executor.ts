import type { Tensors } from '../tensors/tensor.js';

/** Runs tensors through one session. The engine's errors in a run must not reach a client. */
export interface Executor {
  readonly kind: 'inline' | 'isolated';
  /** Why no run is possible at the moment, in words for an operator. */
  readonly fault?: string | undefined;
  /**
   * Runs the graph and returns the named outputs. Throws `output_too_large`. An isolated executor kills a run after
   * `limitMs`, and throws `deadline_exceeded` or `executor_lost` with a `RunEndedError` as the cause.
   */
  run(feeds: Tensors, fetches: readonly string[], limitMs?: number): Promise<Tensors>;
  /** Releases the session. The caller ensures that no run is in progress. */
  close(): void;
}

/** The process of a run ended during the run: it crashed, such as by SIGFPE, or was killed at its limit. */
export class RunEndedError extends Error {
  override readonly name = 'RunEndedError';
  /** Whether the run was killed at its limit. */
  readonly isLate: boolean;

  /** `how` is a signal, an exit code, or a reason, in words for an operator. */
  constructor(how: string, isLate: boolean, options?: ErrorOptions) {
    super(how, options);
    this.isLate = isLate;
  }
}
