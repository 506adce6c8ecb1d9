import { Type } from '@sinclair/typebox';
import { type ErrorCode, errorCatalogue, type Problem, type ServiceError } from '../errors.js';

/** The body of every error: problem details by RFC 9457. */
export const ProblemSchema = Type.Object(
  {
    type: Type.String({ description: 'Where this kind of error is explained' }),
    code: Type.Unsafe<ErrorCode>({ type: 'string', enum: Object.keys(errorCatalogue) }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.Optional(Type.String({ description: 'This occurrence, in one sentence' })),
    request_id: Type.String({ description: 'The same as in the x-request-id header and in the log' }),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          pointer: Type.String({ description: 'Where the problem is, as a JSON pointer (RFC 6901)' }),
          message: Type.String(),
        }),
      ),
    ),
  },
  { $id: 'Problem' },
);

export const problemContentType = 'application/problem+json; charset=utf-8';

export interface ProblemSettings {
  /** Where the catalogue of errors is to be read: the fragment is the code. */
  readonly errorsUrl: string;
  readonly showsProblems: boolean;
}

/** The body of an error as JSON text. */
export function toProblemText(error: ServiceError, requestId: string, settings: ProblemSettings): string {
  const problems: readonly Problem[] | undefined = settings.showsProblems ? error.problems : undefined;
  return JSON.stringify({
    type: `${settings.errorsUrl}#${error.code}`,
    code: error.code,
    title: errorCatalogue[error.code].title,
    status: error.status,
    detail: settings.showsProblems || !error.hasProblems ? error.detail : undefined,
    request_id: requestId,
    errors: problems?.length ? problems : undefined,
  });
}
