/** One problem of a request. `pointer` is a JSON pointer (RFC 6901); `message` says what to do about it. */
export interface Problem {
  readonly pointer: string;
  readonly message: string;
}

/** Problems that one error lists at most. */
export const maxProblems = 100;

/** Whether a retry of the same request may succeed. `Retry-After` is sent if waiting helps. */
export const retryTexts = {
  no: 'no',
  'at once': 'yes, at once',
  after: 'yes, after `Retry-After`',
  'with Retry-After': 'yes, if there is `Retry-After`',
} as const;

/** All errors that a client can see. Tests compare `docs/errors.md` and the OpenAPI document with this catalogue. */
export const errorCatalogue = {
  invalid_input: { status: 400, title: 'The input does not fit the model', retry: 'no' },
  invalid_json: { status: 400, title: 'The body is not valid JSON', retry: 'no' },
  invalid_request: { status: 400, title: 'The request is malformed', retry: 'no' },
  api_key_missing: { status: 401, title: 'An API key is needed', retry: 'no' },
  api_key_invalid: { status: 403, title: 'The API key is not valid', retry: 'no' },
  forbidden: { status: 403, title: 'The API key may not do this', retry: 'no' },
  not_found: { status: 404, title: 'There is nothing at this address', retry: 'no' },
  model_not_found: { status: 404, title: 'There is no such model', retry: 'no' },
  version_not_found: { status: 404, title: 'The model has no such version', retry: 'no' },
  prediction_not_found: { status: 404, title: 'There is no such prediction', retry: 'no' },
  job_not_found: { status: 404, title: 'There is no such job', retry: 'no' },
  method_not_allowed: { status: 405, title: 'This address does not take this method', retry: 'no' },
  request_timeout: { status: 408, title: 'The request did not arrive in time', retry: 'at once' },
  idempotency_conflict: { status: 409, title: 'The idempotency key belongs to another request', retry: 'no' },
  feedback_conflict: { status: 409, title: 'The prediction has other feedback', retry: 'no' },
  job_not_cancellable: { status: 409, title: 'The job has ended already', retry: 'no' },
  body_too_large: { status: 413, title: 'The body is too large', retry: 'no' },
  unsupported_media_type: { status: 415, title: 'The body is not of a type that is understood', retry: 'no' },
  output_not_finite: { status: 422, title: 'The answer of the model is not a finite number', retry: 'no' },
  output_not_exact: { status: 422, title: 'The answer of the model has no exact JSON number', retry: 'no' },
  output_too_large: { status: 422, title: 'The answer of the model is too large', retry: 'no' },
  rate_limited: { status: 429, title: 'There were too many requests', retry: 'after' },
  headers_too_large: { status: 431, title: 'The headers are too large', retry: 'no' },
  client_closed: { status: 499, title: 'The client left before its answer', retry: 'no' },
  internal: { status: 500, title: 'The server failed', retry: 'no' },
  run_failed: { status: 500, title: 'The model failed on this input', retry: 'no' },
  overloaded: { status: 503, title: 'The model has more requests than it can answer', retry: 'after' },
  not_ready: { status: 503, title: 'The server is not ready', retry: 'after' },
  executor_lost: { status: 503, title: 'The process that runs the model has ended', retry: 'after' },
  model_unavailable: { status: 503, title: 'The model cannot answer now', retry: 'with Retry-After' },
  cache_unavailable: { status: 503, title: 'The cache cannot be reached', retry: 'after' },
  jobs_unavailable: { status: 503, title: 'The server cannot keep jobs now', retry: 'after' },
  feedback_unavailable: { status: 503, title: 'Feedback cannot be joined now', retry: 'after' },
  deadline_exceeded: { status: 504, title: 'The answer did not come in time', retry: 'with Retry-After' },
} as const satisfies Record<string, { status: number; title: string; retry: keyof typeof retryTexts }>;

export type ErrorCode = keyof typeof errorCatalogue;

/** A stored code; `internal` if the catalogue does not have it. */
export function toErrorCode(text: string): ErrorCode {
  return Object.hasOwn(errorCatalogue, text) ? (text as ErrorCode) : 'internal';
}

export interface Explanation {
  readonly detail: string;
  readonly problems: readonly Problem[];
}

export interface ServiceErrorDetails {
  /** One sentence about this occurrence, safe to show to the client. */
  readonly detail?: string;
  readonly problems?: readonly Problem[];
  /** Called when detail or problems are first read; never with `ERROR_DETAIL=off`. */
  readonly explain?: () => Explanation;
  /** Sent as `Retry-After`. The default is 1 if the catalogue says `after`. */
  readonly retryAfterSeconds?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** For the log only: never shown to a client. */
  readonly cause?: unknown;
}

/** An error with a code of the catalogue: the only kind whose text reaches a client. */
export class ServiceError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  /** Whether there is a list of problems, even if `ERROR_DETAIL=off` hides it. */
  readonly hasProblems: boolean;
  readonly headers: Readonly<Record<string, string>>;

  readonly #details: ServiceErrorDetails;
  #explanation: Explanation | undefined;

  constructor(code: ErrorCode, details: ServiceErrorDetails = {}) {
    const entry = errorCatalogue[code];
    // No stack: it takes 20 µs, most of the time of a refusal, and a flood causes thousands of refusals a second. The
    // error code says enough, and an inner error has its own stack as the cause.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(details.detail ?? entry.title, details.cause === undefined ? undefined : { cause: details.cause });
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'ServiceError';
    this.code = code;
    this.status = entry.status;
    this.hasProblems = details.problems !== undefined || details.explain !== undefined;
    this.#details = details;
    if (details.explain !== undefined) {
      Object.defineProperty(this, 'message', { get: () => this.detail ?? entry.title });
    }
    const retryAfter = details.retryAfterSeconds ?? (entry.retry === 'after' ? 1 : undefined);
    this.headers = {
      ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
      ...details.headers,
    };
  }

  get detail(): string | undefined {
    return this.#details.detail ?? this.#explain()?.detail;
  }

  get problems(): readonly Problem[] | undefined {
    return this.#details.problems ?? this.#explain()?.problems;
  }

  #explain(): Explanation | undefined {
    this.#explanation ??= this.#details.explain?.();
    return this.#explanation;
  }
}

/** The input of one row failed. `row` is its index among the rows of the call. */
export class RowError extends Error {
  override readonly name = 'RowError';
  readonly row: number;
  readonly failure: unknown;

  constructor(row: number, failure: unknown) {
    super('a row failed', { cause: failure });
    this.row = row;
    this.failure = failure;
  }
}

/** Returns an error of the catalogue unchanged, and any other as the cause of `internal`. */
export function asServiceError(error: unknown): ServiceError {
  return error instanceof ServiceError ? error : new ServiceError('internal', { cause: error });
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A manifest, a version or a file is refused. The message is one line that a person can act on. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/** The start has failed. Each line describes one problem to the person who started the server. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super(lines.join('\n'));
    this.lines = lines;
  }
}

/** The code of a system error, such as ENOENT. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}
