import { Type } from '@sinclair/typebox';
import { ReadText, Text } from './setting-types.js';

const names = (description: string) =>
  Type.Optional(
    Text('names of features with commas between them: feature or model.feature', { description }),
  );

/** Reads a share from 0 to 1. Undefined for any other text. */
export function readShare(text: string): number | undefined {
  if (!/^(0|1|0?\.\d+|[01]\.\d+)$/.test(text)) return undefined;
  return Number(text) <= 1 ? Number(text) : undefined;
}

/** The target of the prediction log. A path has a slash or a dot, so that a misspelt word is no file. */
export function readLogTarget(text: string): 'off' | 'stdout' | 'redis' | { path: string } | undefined {
  if (text === 'off' || text === 'stdout' || text === 'redis') return text;
  return /[/.]/.test(text) && !text.includes('\0') ? { path: text } : undefined;
}

/** One line for each prediction. */
export const predictionLogVariables = {
  PREDICTION_LOG: ReadText(
    'off, stdout, redis, or the path of a file, such as data/predictions.ndjson',
    readLogTarget,
    {
      default: 'off',
      description:
        'Where a JSON line for each prediction goes: "off", "stdout", "redis" (the stream sardonyx:predictions), or the path of a file.',
    },
  ),
  PREDICTION_LOG_SAMPLE: ReadText('a number from 0 to 1', readShare, {
    default: '1',
    description:
      'The share of predictions that the prediction log gets. Failures of the server (5xx) are always logged.',
  }),
  PREDICTION_LOG_BATCHES: Type.Union([Type.Literal('on'), Type.Literal('off')], {
    default: 'off',
    description: 'Whether the prediction log also gets the rows of batches and of batch jobs.',
  }),
  PREDICTION_LOG_MAX_BYTES: Type.Integer({
    minimum: 65_536,
    maximum: 1_099_511_627_776,
    default: 104_857_600,
    description: 'The size at which the file of the prediction log is rotated.',
  }),
  PREDICTION_LOG_MAX_AGE_SECONDS: Type.Integer({
    minimum: 0,
    maximum: 31_536_000,
    default: 86_400,
    description: 'The age at which the file of the prediction log is rotated; 0: at no age.',
  }),
  PREDICTION_LOG_KEEP: Type.Integer({
    minimum: 0,
    maximum: 10_000,
    default: 10,
    description: 'The number of rotated files that are kept, compressed with gzip. Older ones are removed.',
  }),
  PREDICTION_LOG_REDIS_MAX_LINES: Type.Integer({
    minimum: 1_000,
    maximum: 1_000_000_000,
    default: 100_000,
    description: 'About how many lines the stream in Redis keeps.',
  }),
  PREDICTION_LOG_OMIT: names('Features that the prediction log leaves out.'),
  PREDICTION_LOG_HASH: names(
    'Features whose values the prediction log replaces by their HMAC-SHA-256 with PREDICTION_LOG_HASH_KEY.',
  ),
  PREDICTION_LOG_MASK: names('Features whose values the prediction log replaces by "***".'),
  PREDICTION_LOG_HASH_KEY: Type.Optional(
    Type.String({ description: 'The secret for PREDICTION_LOG_HASH: at least 16 characters.' }),
  ),
};
