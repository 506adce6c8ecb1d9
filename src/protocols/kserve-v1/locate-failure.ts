import { type ErrorCode, ServiceError } from '../../errors.js';
import { toPlace } from '../../schemas/v1-error.js';
import type { Locate } from './feature-rows.js';

/** What befalls a row for what is in it; all else befalls the request. */
const rowCodes: ReadonlySet<ErrorCode> = new Set([
  'invalid_input',
  'run_failed',
  'output_not_finite',
  'output_not_exact',
  'output_too_large',
]);

/** The error of a request for the failure of one of its rows, which it names. */
export function locateFailure(failure: unknown, row: number, locate: Locate): unknown {
  if (!(failure instanceof ServiceError) || !rowCodes.has(failure.code)) return failure;
  const { code, cause, detail, problems } = failure;
  if (problems !== undefined) {
    const located = problems.map(({ pointer, message }) => ({ pointer: locate(row, pointer), message }));
    return new ServiceError(code, { cause, ...(detail !== undefined && { detail }), problems: located });
  }
  const place = toPlace(locate(row, ''));
  return new ServiceError(code, { cause, detail: detail === undefined ? place : `${place}: ${detail}` });
}
