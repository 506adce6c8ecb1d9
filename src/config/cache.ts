import { Type } from '@sinclair/typebox';
import { Milliseconds, Text } from './setting-types.js';

/** The cache of answers, and Redis. */
export const cacheVariables = {
  REDIS_URL: Type.Optional(
    Text(
      'a redis:// or rediss:// address, of Sentinels (redis+sentinel://) or a cluster (redis+cluster://)',
      {
        pattern: '^rediss?(\\+sentinel|\\+cluster)?://\\S+$',
        description:
          'The Redis that several servers share: rate limits then apply to all of them together, and they share one cache of answers. If Redis is away, predictions still work. redis+sentinel:// finds the Redis through Sentinels, redis+cluster:// is a cluster, and rediss uses TLS.',
      },
    ),
  ),
  REDIS_SENTINEL_USER: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'The user for the Sentinels, if they have users of their own.',
    }),
  ),
  REDIS_SENTINEL_PASSWORD: Type.Optional(
    Type.String({ minLength: 1, description: 'The password for the Sentinels, if they require one.' }),
  ),
  REDIS_TLS_CA_FILE: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'The certificate authorities that the certificate of Redis is checked against, as PEM, instead of those of Node.',
    }),
  ),
  REDIS_TLS_CERT_FILE: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'The client certificate for Redis, as PEM. It is read at each connect.',
    }),
  ),
  REDIS_TLS_KEY_FILE: Type.Optional(
    Type.String({ minLength: 1, description: 'The key of that certificate, as PEM.' }),
  ),
  REDIS_TIMEOUT_MS: Milliseconds(
    'The longest wait for an answer of Redis; after it, the request is handled without Redis.',
    50,
    1,
  ),
  CACHE: Type.Optional(
    Type.Union([Type.Literal('memory'), Type.Literal('redis'), Type.Literal('tiered'), Type.Literal('off')], {
      description:
        'Where answers are cached: in the memory of this process, in Redis, in both (tiered), or nowhere. Without it: tiered if REDIS_URL is set, else memory.',
    }),
  ),
  CACHE_TTL_SECONDS: Type.Integer({
    minimum: 1,
    maximum: 31_536_000,
    default: 3_600,
    description: 'How long an answer stays in the cache.',
  }),
  CACHE_MAX_ENTRIES: Type.Integer({
    minimum: 1,
    maximum: 100_000_000,
    default: 100_000,
    description:
      'The maximum number of answers in the cache of one process; the least recently used answer is evicted first.',
  }),
  CACHE_MAX_MB: Type.Integer({
    minimum: 1,
    maximum: 1_048_576,
    default: 64,
    description: 'The maximum memory for the cache of one process.',
  }),
};
