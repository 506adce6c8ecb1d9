import { Type } from '@sinclair/typebox';
import { StringEnum } from './string-enum.js';

export const LiveSchema = Type.Object({ status: Type.Literal('ok') }, { description: 'The process answers' });

export const ReadySchema = Type.Object(
  { status: Type.Literal('ready') },
  { description: 'Every required model answers, and the server is not draining' },
);

export const NotReadySchema = Type.Object(
  {
    status: Type.Literal('not_ready'),
    reasons: Type.Array(Type.String(), { minItems: 1, description: 'Why the server is not ready' }),
  },
  { description: 'The server is not ready: send traffic elsewhere' },
);

export const HealthSchema = Type.Object(
  {
    status: StringEnum(['ok', 'degraded', 'draining']),
    workers: Type.Optional(
      Type.Object(
        { running: Type.Integer(), wanted: Type.Integer() },
        { description: 'With `WORKERS` above 1: the workers that listen, and the workers that should' },
      ),
    ),
    redis: Type.Optional(
      Type.Object(
        {
          state: StringEnum(['up', 'down']),
          refused_commands: Type.Optional(
            Type.Array(Type.String(), { minItems: 1, description: 'Required commands that Redis refuses' }),
          ),
        },
        { description: 'If `REDIS_URL` is set. The server stays ready while Redis is down' },
      ),
    ),
    model_loaded: Type.Boolean({ description: 'Whether any model can answer' }),
    models: Type.Record(
      Type.String(),
      Type.Object({
        can_answer: Type.Boolean(),
        default_version: Type.Union([Type.String(), Type.Null()]),
        refused: Type.Integer({ description: 'The number of refused versions' }),
      }),
    ),
    uptime_seconds: Type.Number(),
    version: Type.String({ description: 'The version of the server' }),
  },
  { description: 'The state of the server. The status is 200 in every state' },
);
