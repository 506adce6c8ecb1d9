import { Type } from '@sinclair/typebox';
import { windowForm, windowPattern } from '../time/duration.js';
import { Switch, Text } from './setting-types.js';

/** API keys and rate limits. */
export const accessVariables = {
  AUTH: Switch(
    '"off" answers every client without a key. Without any keys, a HOST that is no loopback address requires AUTH=off.',
  ),
  API_KEYS_FILE: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'The file of API keys that `sardonyx keys` writes. The server watches it.',
    }),
  ),
  API_KEYS: Type.Optional(
    Type.String({ minLength: 1, description: 'The API keys themselves: the same JSON as in the file.' }),
  ),
  METRICS_AUTH: Type.Union([Type.Literal('open'), Type.Literal('key')], {
    default: 'open',
    description: '"key" requires a key with the scope "metrics" at /metrics.',
  }),
  RATE_LIMIT_MAX: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      description:
        'The maximum number of requests in a RATE_LIMIT_WINDOW from one address without a key, or with one key that has no limit of its own; 0 for no limit. Without it: 100 for an address, no limit on a loopback HOST, and no limit for keys.',
    }),
  ),
  RATE_LIMIT_ROWS: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 1_000_000_000,
      description:
        'The maximum number of rows in a RATE_LIMIT_WINDOW, of batches, jobs and KServe requests together, from one address without a key, or with one key that has no limit on rows of its own; 0 for no limit. Without it: 1,000 for each request that the client may send, so 100,000 for an address by default.',
    }),
  ),
  RATE_LIMIT_WINDOW: Text(windowForm, {
    pattern: windowPattern.source,
    default: '1 minute',
    description: 'The length of time in which RATE_LIMIT_MAX requests and RATE_LIMIT_ROWS rows are allowed.',
  }),
};
