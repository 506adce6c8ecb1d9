import { Type } from '@sinclair/typebox';

const Milliseconds = Type.Union([Type.Number(), Type.Null()]);

/** What the console shows of the whole server. */
export const ConsoleSchema = Type.Object(
  {
    version: Type.String({ description: 'The version of the server' }),
    default_model: Type.Optional(Type.String({ description: 'The model of plain `/predict`' })),
    models: Type.Array(Type.Unsafe({ $ref: 'Model#' })),
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
