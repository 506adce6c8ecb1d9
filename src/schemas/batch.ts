import { Type } from '@sinclair/typebox';
import { errorCatalogue, type ServiceError } from '../errors.js';
import type { RowOutcome } from '../jobs/batch-predictor.js';

const Count = (description: string) => Type.Integer({ minimum: 0, description });

export const BatchRequestSchema = Type.Object(
  {
    instances: Type.Array(Type.Unknown(), {
      minItems: 1,
      description: 'The rows: each is a body of the model',
    }),
  },
  { $id: 'BatchRequest', additionalProperties: false },
);

export const BatchAnswerSchema = Type.Object(
  {
    status: Type.Literal('completed'),
    model: Type.String(),
    model_version: Type.String(),
    total_instances: Count('The rows of the request'),
    completed_instances: Count('The rows that have an answer'),
    failed_instances: Count('The rows that have an error'),
    results: Type.Array(
      Type.Object(
        {
          index: Count('The place of the row in the request, from 0'),
          prediction_id: Type.Optional(Type.String({ format: 'uuid' })),
          error: Type.Optional(
            Type.Object(
              { code: Type.String(), title: Type.String() },
              {
                description: 'The error of this row: as in `Problem`, and the other rows have their answers',
              },
            ),
          ),
        },
        { description: 'The answer of the model to this row, or `error`' },
      ),
      { description: 'One result for each row, in the order of the rows' },
    ),
  },
  { $id: 'BatchAnswer' },
);

export interface BatchCounts {
  readonly model: string;
  readonly version: string;
  readonly rows: number;
  readonly failed: number;
}

/** The JSON text of an answer before its results; `]}` follows them. */
export function toBatchHead({ model, version, rows, failed }: BatchCounts): string {
  const named = `"model":${JSON.stringify(model)},"model_version":${JSON.stringify(version)}`;
  const counts = `"total_instances":${rows},"completed_instances":${rows - failed},"failed_instances":${failed}`;
  return `{"status":"completed",${named},${counts},"results":[`;
}

/**
 * The results of some rows as JSON text, with a comma before each but the first of the batch. `from` is the index of the
 * first one.
 */
export function toResultsText(from: number, outcomes: readonly RowOutcome[], showsProblems: boolean): string {
  const text = outcomes.map((outcome, k) => toResultText(from + k, outcome, showsProblems)).join(',');
  return from === 0 ? text : `,${text}`;
}

/** The results of some rows as lines of JSON. `from` is the index of the first one. */
export function toResultLines(from: number, outcomes: readonly RowOutcome[], showsProblems: boolean): string {
  return outcomes.map((outcome, k) => `${toResultText(from + k, outcome, showsProblems)}\n`).join('');
}

function toResultText(index: number, outcome: RowOutcome, showsProblems: boolean): string {
  if ('error' in outcome) return `{"index":${index},"error":${toRowErrorJson(outcome.error, showsProblems)}}`;
  return `{"index":${index},${outcome.fieldsJson},"prediction_id":"${outcome.predictionId}"}`;
}

/** The error of a row: as in `Problem`, without the members that are the same for all rows. */
export function toRowErrorJson(error: ServiceError, showsProblems = true): string {
  const problems = showsProblems ? error.problems : undefined;
  return JSON.stringify({
    code: error.code,
    title: errorCatalogue[error.code].title,
    detail: showsProblems || !error.hasProblems ? error.detail : undefined,
    errors: problems?.length ? problems : undefined,
  });
}
