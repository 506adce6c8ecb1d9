import { Type } from '@sinclair/typebox';
import { windowForm, windowPattern } from '../time/duration.js';
import { Switch, Text } from './setting-types.js';

/** Who may ask, and how often. */
export const accessVariables = {
  AUTH: Switch(
    '"off" answers whoever can reach the server. Without keys it must be said on any HOST but a loopback one.',
  ),
  API_KEYS_FILE: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'The file of API keys, which `sardonyx keys` writes. It is watched.',
    }),
  ),
  API_KEYS: Type.Optional(
    Type.String({ minLength: 1, description: 'The API keys themselves: the same JSON as in the file.' }),
  ),
  METRICS_AUTH: Type.Union([Type.Literal('open'), Type.Literal('key')], {
    default: 'open',
    description: '"key" asks for a key with the scope "metrics" at /metrics.',
  }),
  RATE_LIMIT_MAX: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      description:
        'The most requests in a RATE_LIMIT_WINDOW from one address without a key, and with a key that has no limit of its own; 0 for no limit. Without it: 100 an address, none on a loopback HOST, and none for keys.',
    }),
  ),
  RATE_LIMIT_WINDOW: Text(windowForm, {
    pattern: windowPattern.source,
    default: '1 minute',
    description: 'The time in which RATE_LIMIT_MAX are let in.',
  }),
};
