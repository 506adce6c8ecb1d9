import { Type } from '@sinclair/typebox';
import { errorCatalogue, ServiceError } from '../errors.js';
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

/** Writes the answer to a batch as JSON text, row by row. */
export interface BatchWriter {
  /** Adds the outcomes of the next rows. Throws `output_too_large` and `overloaded`. */
  add(outcomes: readonly RowOutcome[]): void;
  toText(answering: { readonly model: string; readonly version: string }): string;
  /** Gives up the results. Must be called once. */
  release(): void;
}

/** Characters of the results of one batch, and of all batches together: a model may answer a small row with megabytes. */
const maxLength = 134_217_728;
const maxHeld = 268_435_456;

/** The characters of all results that wait for the end of their batches. */
export interface HeldResults {
  length: number;
}

export function createBatchWriter(showsProblems: boolean, held: HeldResults): BatchWriter {
  const rows: string[] = [];
  let length = 0;
  let failed = 0;
  return {
    add(outcomes) {
      for (const outcome of outcomes) {
        if ('error' in outcome) failed += 1;
        const text = toRowText(rows.length, outcome, showsProblems);
        length += text.length;
        held.length += text.length;
        if (length > maxLength) {
          const detail = `The results have more than ${maxLength / 1_048_576} MiB: send the rows in several requests.`;
          throw new ServiceError('output_too_large', { detail });
        }
        if (held.length > maxHeld) {
          const detail = 'The results of all batches together need too much memory.';
          throw new ServiceError('overloaded', { detail, retryAfterSeconds: 1 });
        }
        rows.push(text);
      }
    },
    toText({ model, version }) {
      const named = `"model":${JSON.stringify(model)},"model_version":${JSON.stringify(version)}`;
      const completed = rows.length - failed;
      const counts = `"total_instances":${rows.length},"completed_instances":${completed},"failed_instances":${failed}`;
      return `{"status":"completed",${named},${counts},"results":[${rows.join(',')}]}`;
    },
    release() {
      held.length -= length;
    },
  };
}

/** A row's answer, or its error: as in `Problem`, without the members that are the same for all rows. */
function toRowText(index: number, outcome: RowOutcome, showsProblems: boolean): string {
  if (!('error' in outcome)) {
    return `{"index":${index},${outcome.fieldsJson},"prediction_id":"${outcome.predictionId}"}`;
  }
  const { error } = outcome;
  const problems = showsProblems ? error.problems : undefined;
  const text = JSON.stringify({
    code: error.code,
    title: errorCatalogue[error.code].title,
    detail: showsProblems || !error.hasProblems ? error.detail : undefined,
    errors: problems?.length ? problems : undefined,
  });
  return `{"index":${index},"error":${text}}`;
}
