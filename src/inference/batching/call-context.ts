/** The client that waits for an answer. */
export interface Caller {
  /** When the request came, by `performance.now()`: before it was first looked at, where the loop was late. */
  readonly arrivedAt: number;
  /** The client's own limit in milliseconds, where it is below the version's. */
  readonly timeoutMs?: number | undefined;
  /** Destroyed once the client has left. */
  readonly connection?: { readonly destroyed: boolean } | undefined;
  /** For the log, should the request end the model's process. */
  readonly requestId?: string | undefined;
}

/** One request to one version, with its deadline. */
export interface CallContext {
  /** Until when the request must be answered, by `performance.now()`. */
  readonly deadline: number;
  /** From the request's arrival to its deadline. */
  readonly limitMs: number;
  /** Whether the client itself set the limit, below the version's: a later request would have no more time. */
  readonly isLimitOfClient: boolean;
  readonly connection: Caller['connection'];
  readonly requestId: string | undefined;
}

/** `timeoutMs` is the version's limit, from a request's arrival to its answer. */
export function createCall(caller: Caller, timeoutMs: number): CallContext {
  const { arrivedAt, connection, requestId } = caller;
  const isLimitOfClient = caller.timeoutMs !== undefined && caller.timeoutMs < timeoutMs;
  const limitMs = isLimitOfClient ? (caller.timeoutMs as number) : timeoutMs;
  return { deadline: arrivedAt + limitMs, limitMs, isLimitOfClient, connection, requestId };
}
