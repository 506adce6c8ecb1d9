import { Type } from '@sinclair/typebox';
import { Switch } from './setting-types.js';

/** Feedback on predictions. */
export const feedbackVariables = {
  FEEDBACK: Switch('"off" keeps no predictions for feedback, and hides POST /feedback.'),
  FEEDBACK_WINDOW_SECONDS: Type.Integer({
    minimum: 60,
    maximum: 31_536_000,
    default: 86_400,
    description: 'How long a prediction waits for its feedback, and the time that the live quality covers.',
  }),
  FEEDBACK_MAX_PREDICTIONS: Type.Integer({
    minimum: 16,
    maximum: 100_000_000,
    default: 100_000,
    description:
      'The maximum number of predictions that wait for feedback: in each process, at about 95 bytes each, or with REDIS_URL in Redis, at about 200 bytes each. The oldest is dropped first. A prediction with more than 4 probabilities or numbers takes the place of several.',
  }),
  FEEDBACK_BATCHES: Type.Union([Type.Literal('on'), Type.Literal('off')], {
    default: 'off',
    description: '"on" also keeps the rows of batches and jobs for feedback.',
  }),
};
