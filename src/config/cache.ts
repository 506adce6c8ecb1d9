import { Type } from '@sinclair/typebox';
import { Milliseconds, Text } from './setting-types.js';

/** What is remembered, and the Redis that servers share. */
export const cacheVariables = {
  REDIS_URL: Type.Optional(
    Text(
      'a redis:// or rediss:// address, of Sentinels (redis+sentinel://) or a cluster (redis+cluster://)',
      {
        pattern: '^rediss?(\\+sentinel|\\+cluster)?://\\S+$',
        description:
          'The Redis that several servers share: limits then hold for all of them together, and answers are remembered for all. Predictions go on without it. redis+sentinel:// asks Sentinels for it, redis+cluster:// is a cluster, and rediss is TLS.',
      },
    ),
  ),
  REDIS_SENTINEL_USER: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'The user of the Sentinels, where they have users of their own.',
    }),
  ),
  REDIS_SENTINEL_PASSWORD: Type.Optional(
    Type.String({ minLength: 1, description: 'The password of the Sentinels, where they want one.' }),
  ),
  REDIS_TLS_CA_FILE: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'The authorities that the certificate of Redis is checked against, in the place of those of Node.',
    }),
  ),
  REDIS_TLS_CERT_FILE: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'The certificate that is shown to Redis, as PEM. It is read at each connect.',
    }),
  ),
  REDIS_TLS_KEY_FILE: Type.Optional(
    Type.String({ minLength: 1, description: 'The key of that certificate, as PEM.' }),
  ),
  REDIS_TIMEOUT_MS: Milliseconds(
    'The longest that an answer of Redis is waited for; then a request goes on without it.',
    50,
    1,
  ),
  CACHE: Type.Optional(
    Type.Union([Type.Literal('memory'), Type.Literal('redis'), Type.Literal('tiered'), Type.Literal('off')], {
      description:
        'Where answers are remembered: in this process, in Redis, in both, or nowhere. Without it: tiered where there is a REDIS_URL, else memory.',
    }),
  ),
  CACHE_TTL_SECONDS: Type.Integer({
    minimum: 1,
    maximum: 31_536_000,
    default: 3_600,
    description: 'How long an answer is remembered.',
  }),
  CACHE_MAX_ENTRIES: Type.Integer({
    minimum: 1,
    maximum: 100_000_000,
    default: 100_000,
    description: 'The most answers that one process remembers; the longest unused goes first.',
  }),
  CACHE_MAX_MB: Type.Integer({
    minimum: 1,
    maximum: 1_048_576,
    default: 64,
    description: 'The most memory of one process for answers that it remembers.',
  }),
};
