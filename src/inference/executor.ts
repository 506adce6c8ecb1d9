import type { Tensors } from './tensor.js';

/** Runs tensors through one session. What a run throws is the engine's, and not for a client's eyes. */
export interface Executor {
  readonly kind: 'inline' | 'isolated';
  /** Why no run can be made at the moment, in words for an operator. */
  readonly fault?: string | undefined;
  /** Runs the graph and gives the named outputs. Throws `output_too_large` where they are. */
  run(feeds: Tensors, fetches: readonly string[]): Promise<Tensors>;
  /** Releases the session. The caller sees to it that no run is under way. */
  close(): void;
}
