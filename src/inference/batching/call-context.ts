export interface Caller {
  /** Arrival by `performance.now()`: before the request was first read if the loop was late. */
  readonly arrivedAt: number;
  readonly timeoutMs?: number | undefined;
  /** Destroyed once the client has disconnected. */
  readonly connection?: { readonly destroyed: boolean } | undefined;
  /** Logged if the request ends the model's process. */
  readonly requestId?: string | undefined;
  /** Whether its rows run only while no other row waits, such as the rows of a batch job. They are always admitted. */
  readonly isBackground?: boolean | undefined;
}

export interface CallContext {
  /** By `performance.now()`. */
  readonly deadline: number;
  readonly limitMs: number;
  /** Whether the limit is the client's, below the version's: a retry would have no more time. */
  readonly isLimitOfClient: boolean;
  readonly connection: Caller['connection'];
  readonly requestId: string | undefined;
  readonly isBackground: boolean;
}

/** `timeoutMs` is the version's limit, from the arrival of a request to its answer. */
export function createCall(caller: Caller, timeoutMs: number): CallContext {
  const { arrivedAt, connection, requestId, isBackground = false } = caller;
  const isLimitOfClient = caller.timeoutMs !== undefined && caller.timeoutMs < timeoutMs;
  const limitMs = isLimitOfClient ? (caller.timeoutMs as number) : timeoutMs;
  return { deadline: arrivedAt + limitMs, limitMs, isLimitOfClient, connection, requestId, isBackground };
}
