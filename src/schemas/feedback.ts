import { Type } from '@sinclair/typebox';
import { type FeedbackItem, feedbackResults } from '../monitoring/feedback/feedback-store.js';
import { predictionIdPattern } from '../monitoring/feedback/kept-predictions.js';
import { describeValue, isObject } from '../text/describe-value.js';
import { StringEnum } from './string-enum.js';

export const maxFeedbackItems = 1_000;

const strict = { additionalProperties: false };
const Item = Type.Object(
  {
    prediction_id: Type.String({ format: 'uuid', description: 'From the answer of the prediction' }),
    actual: Type.Unsafe({
      description:
        'What really happened: a class of the version, in its type; or a number; or an object of numbers, if the prediction is one',
    }),
  },
  strict,
);
/** Any value is accepted: one that is wrong fails alone. */
const ListedItem = Type.Unsafe({
  description:
    'An object with `prediction_id` and `actual`, as for one feedback. One that is wrong fails alone.',
});

export const FeedbackRequestSchema = Type.Unsafe({
  anyOf: [
    Item,
    Type.Object({ feedback: Type.Array(ListedItem, { minItems: 1, maxItems: maxFeedbackItems }) }, strict),
  ],
});

const Result = {
  prediction_id: Type.Optional(Type.String()),
  result: StringEnum(feedbackResults, {
    description:
      '`recorded`: counted now. `already_recorded`: the same was counted before. `conflict`: something else was counted before, and stays. `unknown`: there is no such prediction of this client. `invalid`: it cannot have happened. `unavailable`: send it again.',
  }),
  model: Type.Optional(Type.String()),
  reason: Type.Optional(Type.String({ description: 'What is wrong, and what to do' })),
};

export const FeedbackResponseSchema = Type.Unsafe({
  anyOf: [
    Type.Object(Result, { description: 'For one feedback' }),
    Type.Object({
      recorded: Type.Integer({ description: 'The number of those that were counted now' }),
      results: Type.Array(Type.Object({ index: Type.Integer(), ...Result })),
    }),
  ],
});

/** Reads one feedback of a body. Returns what is wrong as a text, with the place of it. */
export function readFeedbackItem(
  item: unknown,
): FeedbackItem | { readonly pointer: string; readonly message: string } {
  if (!isObject(item))
    return {
      pointer: '',
      message: `must be an object with prediction_id and actual, got ${describeValue(item)}`,
    };
  const other = Object.keys(item).find((name) => name !== 'prediction_id' && name !== 'actual');
  const { prediction_id: id, actual } = item;
  if (typeof id !== 'string')
    return { pointer: '/prediction_id', message: 'is missing: send the prediction_id of the answer' };
  if (!predictionIdPattern.test(id))
    return { pointer: '/prediction_id', message: `is no prediction_id: ${describeValue(id)}` };
  if (actual === undefined) return { pointer: '/actual', message: 'is missing: send what really happened' };
  if (other !== undefined)
    return {
      pointer: '',
      message: `must have only prediction_id and actual, and has ${describeValue(other)} too`,
    };
  return { predictionId: id, actual };
}
