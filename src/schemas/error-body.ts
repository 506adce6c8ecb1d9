import type { ServiceError } from '../errors.js';
import { type ProblemSettings, problemContentType, toProblemText } from './problem.js';
import { isV1, toV1ErrorText, v1ContentType } from './v1-error.js';

export interface ErrorBody {
  readonly contentType: string;
  readonly text: string;
}

/** The body of an error, in the form of the address: KServe's below `/v1/`, else (or without a URL) a problem. */
export function toErrorBody(
  error: ServiceError,
  url: string | undefined,
  requestId: string,
  settings: ProblemSettings,
): ErrorBody {
  if (url !== undefined && isV1(url)) {
    return { contentType: v1ContentType, text: toV1ErrorText(error, settings.showsProblems) };
  }
  return { contentType: problemContentType, text: toProblemText(error, requestId, settings) };
}
