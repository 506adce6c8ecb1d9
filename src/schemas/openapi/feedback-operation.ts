import type { ErrorCode } from '../../errors.js';

export const feedbackCodes: Readonly<Record<string, readonly ErrorCode[]>> = {
  '/feedback': [
    'invalid_input',
    'invalid_json',
    'prediction_not_found',
    'feedback_conflict',
    'body_too_large',
    'unsupported_media_type',
    'feedback_unavailable',
  ],
  '/models/{model}/quality': [
    'model_not_found',
    'version_not_found',
    'not_ready',
    'model_unavailable',
    'feedback_unavailable',
  ],
};
