import type { FastifyPluginAsync } from 'fastify';
import type { Config } from '../../config/read-config.js';
import { ServiceError } from '../../errors.js';
import { createFeedbackCounts } from '../../monitoring/feedback/feedback-metrics.js';
import type { FeedbackItem, FeedbackResult } from '../../monitoring/feedback/feedback-store.js';
import {
  FeedbackRequestSchema,
  FeedbackResponseSchema,
  maxFeedbackItems,
  readFeedbackItem,
} from '../../schemas/feedback.js';
import { isObject } from '../../text/describe-value.js';

/** A thousand objects of several numbers. */
const bodyLimit = 1_048_576;
const bodyBounds = { names: 100_000, items: 100_000 };

/** What really happened, for predictions of the last `FEEDBACK_WINDOW_SECONDS`. */
const feedbackRoutes: FastifyPluginAsync<Pick<Config, 'ERROR_DETAIL'>> = async (app, { ERROR_DETAIL }) => {
  const count = createFeedbackCounts(app.metrics);
  app.post(
    '/feedback',
    {
      config: { scope: 'predict', model: 'none', bodyBounds },
      bodyLimit,
      schema: {
        operationId: 'sendFeedback',
        summary: 'Say what really happened, for one prediction or for several',
        description: `Each feedback is judged by itself. At most ${maxFeedbackItems} in one request. A feedback may be sent again: it is counted once.`,
        tags: ['feedback'],
        body: FeedbackRequestSchema,
        response: { 200: FeedbackResponseSchema },
      },
      // The schema documents the body. Items are judged singly, which no validator of a whole body does.
      validatorCompiler: () => () => true,
    },
    async ({ body, key }) => {
      const list = isObject(body) && 'feedback' in body ? readList(body) : undefined;
      const items = list ?? [body];
      const read = items.map(readFeedbackItem);
      const sound = read.filter((it): it is FeedbackItem => 'predictionId' in it);
      const joined = (await app.cluster.join(sound, key?.id))[Symbol.iterator]();
      const results = read.map((it): FeedbackResult => {
        if ('predictionId' in it) return joined.next().value as FeedbackResult;
        return { result: 'invalid', reason: `${it.pointer} ${it.message}`.trimStart() };
      });
      count(results);
      if (list === undefined) {
        const [fault] = read;
        if (fault !== undefined && 'pointer' in fault)
          throw new ServiceError('invalid_input', { detail: '1 problem', problems: [fault] });
        return { ...idOf(body), ...accept(results[0] as FeedbackResult) };
      }
      return {
        recorded: results.filter(({ result }) => result === 'recorded').length,
        results: results.map(({ reason, ...rest }, index) => ({
          index,
          ...idOf(items[index]),
          ...rest,
          // A reason may list the classes of the model.
          ...(ERROR_DETAIL === 'on' && reason !== undefined && { reason }),
        })),
      };
    },
  );
};

export default feedbackRoutes;

function readList(body: Readonly<Record<string, unknown>>): readonly unknown[] {
  const { feedback, ...others } = body;
  const refuse = (pointer: string, message: string) =>
    new ServiceError('invalid_input', { detail: '1 problem', problems: [{ pointer, message }] });
  const [other] = Object.keys(others);
  if (other !== undefined) throw refuse('', 'must have no other member beside feedback');
  if (!Array.isArray(feedback)) throw refuse('/feedback', 'must be an array');
  if (feedback.length === 0) throw refuse('/feedback', 'must not be empty');
  if (feedback.length > maxFeedbackItems)
    throw refuse('/feedback', `must have at most ${maxFeedbackItems} items, got ${feedback.length}`);
  return feedback;
}

function idOf(item: unknown): { readonly prediction_id?: string } {
  const id = isObject(item) ? item['prediction_id'] : undefined;
  return typeof id === 'string' ? { prediction_id: id.slice(0, 64) } : {};
}

/** For one feedback, a result that is no success is an error. */
function accept({ result, model, reason = '' }: FeedbackResult) {
  switch (result) {
    case 'recorded':
    case 'already_recorded':
      return { result, model };
    case 'unknown':
      throw new ServiceError('prediction_not_found', {
        detail: 'No prediction with this id waits for feedback: it was never made, or too long ago.',
      });
    case 'conflict':
      throw new ServiceError('feedback_conflict', { detail: `${reason}.` });
    case 'invalid':
      throw new ServiceError('invalid_input', {
        detail: '1 problem',
        problems: [{ pointer: '/actual', message: reason }],
      });
    case 'unavailable':
      throw new ServiceError('feedback_unavailable');
    default:
      return result satisfies never;
  }
}
