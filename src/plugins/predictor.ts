import fp from 'fastify-plugin';
import { createPredictionMetrics } from '../monitoring/prediction-metrics.js';
import { createPredictions, type Predictions } from '../predictions.js';
import { createPredictor, type Predictor } from '../predictor.js';

declare module 'fastify' {
  interface FastifyInstance {
    readonly predictions: Predictions;
    readonly predictor: Predictor;
  }
}

/** The predictor over this server's registry, and its cache, with the metrics as the first of its subscribers. */
export default fp(
  async function predictorPlugin(app) {
    const predictions = createPredictions((error) =>
      app.log.error({ err: error }, 'a subscriber to predictions failed'),
    );
    predictions.subscribe(createPredictionMetrics(app.metrics));
    app.decorate('predictions', predictions);
    app.decorate('predictor', createPredictor(app.registry, predictions, app.cachedAnswers));
  },
  { name: 'predictor', fastify: '5.x', dependencies: ['cache', 'metrics', 'registry'] },
);
