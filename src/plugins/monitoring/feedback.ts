import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import type { Config } from '../../config/read-config.js';
import { createQualityGauges } from '../../monitoring/feedback/feedback-metrics.js';
import type { FeedbackOptions, FeedbackStore } from '../../monitoring/feedback/feedback-store.js';
import { createMemoryFeedback } from '../../monitoring/feedback/memory-feedback.js';
import { toOutcomeShape } from '../../monitoring/feedback/outcome-shape.js';
import { createRedisFeedback } from '../../monitoring/feedback/redis/redis-feedback.js';
import type { PredictionEvent } from '../../prediction-event.js';
import { redisPrefix } from '../redis.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Undefined if `FEEDBACK=off`. Routes use `cluster`, which also asks the other workers. */
    readonly feedback: FeedbackStore | undefined;
  }
}

type FeedbackConfig = Pick<
  Config,
  'FEEDBACK' | 'FEEDBACK_WINDOW_SECONDS' | 'FEEDBACK_MAX_PREDICTIONS' | 'FEEDBACK_BATCHES'
> & {
  /** One of several processes: their supervisor shows the sums of all. */
  readonly isWorker: boolean;
};

/** Keeps predictions until their feedback comes, in memory or in Redis, and shows the live quality of versions. */
export default fp<FeedbackConfig>(
  async function feedbackPlugin(app, config) {
    if (config.FEEDBACK === 'off') {
      app.decorate('feedback', undefined);
      return;
    }
    const dropped = app.metrics
      .counter(
        'feedback_predictions_dropped_total',
        'Predictions that were dropped before FEEDBACK_WINDOW_SECONDS had passed, since there was no room',
      )
      .series({});
    const options: FeedbackOptions = {
      windowSeconds: config.FEEDBACK_WINDOW_SECONDS,
      maxPredictions: config.FEEDBACK_MAX_PREDICTIONS,
      shapeOf: (event) => findShape(app, event),
      onDrop: (count) => dropped.add(count),
    };
    const store =
      app.redis === null
        ? createMemoryFeedback(options)
        : createRedisFeedback(app.redis, {
            ...options,
            prefix: `${redisPrefix}{feedback}:`,
            onDamage: (what) => app.log.warn({ what }, 'feedback in Redis cannot be read'),
          });
    app.decorate('feedback', store);
    const keepsAll = config.FEEDBACK_BATCHES === 'on';
    app.predictions.subscribe(
      (event) => {
        const { answer, source } = event;
        if (answer !== undefined && (source === 'online' || (keepsAll && source !== 'console')))
          store.keep(event);
      },
      { needsJobRows: keepsAll },
    );
    if (store.isShared || !config.isWorker) {
      const show = createQualityGauges(app.metrics);
      app.metrics.beforeScrape('feedback', async () => show((await store.sums()) ?? []));
    }
    app.addHook('onClose', () => store.close());
  },
  { name: 'feedback', fastify: '5.x', dependencies: ['metrics', 'redis', 'registry', 'predictor'] },
);

/** The version holds a lease now, so it is in the registry, unless it was removed a moment ago. */
function findShape({ registry }: FastifyInstance, { manifest, model, version }: PredictionEvent) {
  if (manifest.task === 'tensor') return undefined;
  const state = registry
    .list()
    .find(({ name }) => name === model)
    ?.versions.get(version);
  const loaded = state?.state === 'ready' ? state.loaded : undefined;
  if (loaded?.manifest !== manifest) return toOutcomeShape(manifest.task, manifest.output);
  return toOutcomeShape(manifest.task, loaded.task.answerShape);
}
