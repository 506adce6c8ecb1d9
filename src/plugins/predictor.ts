import fp from 'fastify-plugin';
import { type BatchPredictor, createBatchPredictor } from '../jobs/batch-predictor.js';
import { LineLimit } from '../log/line-limit.js';
import { toLoggedError } from '../log/logged-error.js';
import { addPredictionMetrics } from '../monitoring/prediction-metrics.js';
import { createPredictions, type Predictions } from '../prediction-event.js';
import { type BegunPrediction, createPredictor, type Predictor } from '../predictor.js';

declare module 'fastify' {
  interface FastifyInstance {
    readonly predictions: Predictions;
    readonly predictor: Predictor;
    /** Predicts many rows, each by itself. */
    readonly batchPredictor: BatchPredictor;
  }
  interface FastifyRequest {
    /** The prediction that a version has begun; null before that, and on other routes. */
    prediction: BegunPrediction | null;
  }
}

export default fp(
  async function predictorPlugin(app) {
    const limit = new LineLimit();
    const predictions = createPredictions((error) => {
      const unlogged = limit.take('failure');
      if (unlogged === undefined) return;
      app.log.error({ err: toLoggedError(error), unlogged }, 'a subscriber to predictions failed');
    });
    app.decorateRequest('prediction', null);
    addPredictionMetrics(app.metrics, predictions);
    app.decorate('predictions', predictions);
    const predictor = createPredictor(app.registry, predictions, app.cachedAnswers);
    app.decorate('predictor', predictor);
    app.decorate('batchPredictor', createBatchPredictor(predictions, predictor));
  },
  { name: 'predictor', fastify: '5.x', dependencies: ['cache', 'metrics', 'registry'] },
);
