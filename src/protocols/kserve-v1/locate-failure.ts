import { type ErrorCode, ServiceError } from '../../errors.js';
import { toPlace } from '../../schemas/v1-error.js';
import type { Locate } from './feature-rows.js';

/** Errors that the values of one row cause. All other errors concern the whole request. */
const rowCodes: ReadonlySet<ErrorCode> = new Set([
  'invalid_input',
  'run_failed',
  'output_not_finite',
  'output_not_exact',
  'output_too_large',
]);

/** Turns the failure of one row into an error of the request, with the place of that row in the body. */
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
