import { Type } from '@sinclair/typebox';
import { StringEnum } from './string-enum.js';

const Milliseconds = Type.Union([Type.Number(), Type.Null()]);

/** What the console shows of the whole server. */
export const ConsoleSchema = Type.Object(
  {
    version: Type.String({ description: 'The version of the server' }),
    default_model: Type.Optional(Type.String({ description: 'The model of plain `/predict`' })),
    problems: Type.Array(Type.String(), {
      description: 'Why `/health` says `degraded`, apart from models that cannot answer',
    }),
    may_predict: Type.Boolean({ description: 'Whether the key has the scope `predict`' }),
    models: Type.Array(Type.Unsafe({ $ref: 'Model#' })),
    findings: Type.Array(
      Type.Object({
        model: Type.String(),
        version: Type.String(),
        drifted: Type.Array(Type.String(), { description: 'Names of drifted columns, at most 2' }),
        drifted_count: Type.Integer({ description: 'The number of drifted columns' }),
        decline: Type.Optional(
          Type.Object(
            {
              figure: StringEnum(['accuracy', 'mae', 'rmse']),
              live: Type.Number(),
              trained: Type.Number(),
              feedback: Type.Integer(),
            },
            { description: 'A live figure that is worse than that of the training, by more than chance' },
          ),
        ),
      }),
      { description: 'Versions with drift, or whose live quality is below their training figure' },
    ),
    step_seconds: Type.Integer({ description: 'The length of a step of `traffic`' }),
    traffic: Type.Array(
      Type.Object({
        at: Type.Integer({ description: 'The begin of the step, in milliseconds since 1970' }),
        requests: Type.Integer(),
        refused: Type.Integer({ description: 'Errors below 500' }),
        failed: Type.Integer({ description: 'Errors from 500 on' }),
        p50_ms: Milliseconds,
        p99_ms: Milliseconds,
      }),
      { description: 'The predictions of the last five minutes, with the models that the key may use' },
    ),
  },
  { description: 'Models and their traffic' },
);
