import { Type } from '@sinclair/typebox';
import { StringEnum } from './string-enum.js';

export const LiveSchema = Type.Object({ status: Type.Literal('ok') }, { description: 'It does' });

export const ReadySchema = Type.Object(
  { status: Type.Literal('ready') },
  { description: 'Every required model answers, and the server is not draining' },
);

export const NotReadySchema = Type.Object(
  {
    status: Type.Literal('not_ready'),
    reasons: Type.Array(Type.String(), { minItems: 1, description: 'What keeps traffic away' }),
  },
  { description: 'Traffic should go elsewhere' },
);

export const HealthSchema = Type.Object(
  {
    status: StringEnum(['ok', 'degraded', 'draining']),
    workers: Type.Optional(
      Type.Object(
        { running: Type.Integer(), wanted: Type.Integer() },
        { description: 'Of a server of several processes: how many listen, and how many should' },
      ),
    ),
    redis: Type.Optional(
      Type.Object(
        {
          state: StringEnum(['up', 'down']),
          refused_commands: Type.Optional(
            Type.Array(Type.String(), { minItems: 1, description: 'Commands that its user may not run' }),
          ),
        },
        { description: 'Where REDIS_URL is set. Predictions go on without it, and traffic may come' },
      ),
    ),
    model_loaded: Type.Boolean({ description: 'Whether any model can answer' }),
    models: Type.Record(
      Type.String(),
      Type.Object({
        can_answer: Type.Boolean(),
        default_version: Type.Union([Type.String(), Type.Null()]),
        refused: Type.Integer({ description: 'Versions that are refused' }),
      }),
    ),
    uptime_seconds: Type.Number(),
    version: Type.String({ description: 'Of the server' }),
  },
  { description: 'How things are; 200 even where they are bad' },
);
