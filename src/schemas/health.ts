import { Type } from '@sinclair/typebox';

export const LiveSchema = Type.Object({ status: Type.Literal('ok') });

export const ReadySchema = Type.Object({
  status: Type.Union([Type.Literal('ready'), Type.Literal('not_ready')]),
  reasons: Type.Optional(Type.Array(Type.String(), { description: 'What keeps traffic away' })),
});

export const HealthSchema = Type.Object({
  status: Type.Union([Type.Literal('ok'), Type.Literal('degraded'), Type.Literal('draining')]),
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
});
