import { Type } from '@sinclair/typebox';
import { type ErrorCode, errorCatalogue, type Problem, type ServiceError } from '../errors.js';

/** The body of every error: problem details by RFC 9457. */
export const ProblemSchema = Type.Object(
  {
    type: Type.String({ description: 'The address of the explanation of this error' }),
    code: Type.Unsafe<ErrorCode>({ type: 'string', enum: Object.keys(errorCatalogue) }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.Optional(Type.String({ description: 'What happened in this request, in one sentence' })),
    request_id: Type.String({
      description: 'The request id, as in the header `x-request-id` and in the log',
    }),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          pointer: Type.String({ description: 'The place of the problem, as a JSON pointer (RFC 6901)' }),
          message: Type.String(),
        }),
      ),
    ),
  },
  { $id: 'Problem' },
);

export const problemContentType = 'application/problem+json; charset=utf-8';

export interface ProblemSettings {
  /** The address of the catalogue of errors, without the fragment, which is the code. */
  readonly errorsUrl: string;
  readonly showsProblems: boolean;
}

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
