import fp from 'fastify-plugin';
import { countLostLines } from '../log/destination.js';
import { watchDescriptors } from '../monitoring/descriptor-watch.js';
import { createMetrics, type Metrics } from '../monitoring/metrics.js';
import { createHttpMetrics } from '../monitoring/prediction-metrics.js';
import { addProcessMetrics } from '../monitoring/process-metrics.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The address without the expressions that the router needs. */
    address?: string;
  }
  interface FastifyInstance {
    readonly metrics: Metrics;
    /** Counts an answer that no route gave: to an unknown address, another method, or bytes that are no request. */
    readonly observeUnmatched: (status: number, seconds: number) => void;
  }
}

/** The metrics of this server. Times each route that is registered later. */
export default fp(
  async function metricsPlugin(app) {
    const metrics = createMetrics({
      onFailure: (err, source) => app.log.error({ err, source }, 'metrics are incomplete: a source failed'),
    });
    addProcessMetrics(metrics, countLostLines);
    const timerOf = createHttpMetrics(metrics);
    app.decorate('metrics', metrics);
    app.decorate('observeUnmatched', timerOf('any', 'unmatched'));
    app.addHook('onRoute', (route) => {
      const observe = timerOf([route.method].flat().join(','), route.config?.address ?? route.url);
      route.onResponse = [
        ...[route.onResponse ?? []].flat(),
        (_request, reply, done) => {
          observe(reply.statusCode, reply.elapsedTime / 1_000);
          done();
        },
      ];
    });
    const endWatch = watchDescriptors(app.log);
    app.addHook('onClose', async () => {
      endWatch();
      metrics.close();
    });
  },
  { name: 'metrics', fastify: '5.x' },
);
