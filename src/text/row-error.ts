import type { ErrorCode, Problem } from '../errors.js';

interface RowError {
  readonly code: ErrorCode | string;
  readonly detail?: string | undefined;
  /** Shown without a detail. */
  readonly message: string;
  readonly problems?: readonly Problem[] | undefined;
}

/** The error of a row in one line, such as a cell of CSV. */
export function describeRowError({ code, detail, message, problems }: RowError): string {
  const listed = problems?.map((it) => `${it.pointer} ${it.message}`.trim()).join('; ');
  return `${code}: ${listed || detail || message}`;
}
