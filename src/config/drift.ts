import { Type } from '@sinclair/typebox';
import { readShare } from './prediction-log.js';
import { ReadText } from './setting-types.js';

/** Drift detection of versions with a reference. */
export const driftVariables = {
  DRIFT: Type.Union([Type.Literal('on'), Type.Literal('off')], {
    default: 'on',
    description: 'Whether recent rows are compared with the reference of their version, if it has one.',
  }),
  DRIFT_WINDOW_ROWS: Type.Integer({
    minimum: 200,
    maximum: 100_000,
    default: 10_000,
    description:
      'The maximum number of recent rows of each version with a reference that are compared. Each quarter of DRIFT_WINDOW_SECONDS gives its share of the rows that came.',
  }),
  DRIFT_WINDOW_SECONDS: Type.Integer({
    minimum: 60,
    maximum: 31_536_000,
    default: 86_400,
    description: 'How far back the rows go. A part of the oldest quarter may have left.',
  }),
  DRIFT_THRESHOLD: ReadText('a number from 0 to 1', readShare, {
    default: '0.05',
    description: 'The p-value, corrected for the number of columns, below which a column has drifted.',
  }),
};
