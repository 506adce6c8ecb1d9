/** The client that waits for an answer: since when, how long at most, and whether still. */
export interface Caller {
  /** When the request came, by `performance.now()`: before it was first looked at, where the loop was late. */
  readonly arrivedAt: number;
  /** The caller's own limit in milliseconds, where it is below the version's. */
  readonly timeoutMs?: number | undefined;
  /** Destroyed once the caller has left. */
  readonly connection?: { readonly destroyed: boolean } | undefined;
  /** For the log, should the request end the model's process. */
  readonly requestId?: string | undefined;
}
