import type { FastifyBaseLogger } from 'fastify';
import fp from 'fastify-plugin';
import { hideKeys } from '../text/describe-value.js';
import { roundMs } from '../time/duration.js';

/** Logs one line for each answered request at the level `debug`. At a higher level no hook is added. */
export default fp(
  async function requestLogPlugin(app) {
    // Pino has this method; Fastify's type of a logger lacks it.
    const log = app.log as FastifyBaseLogger & { isLevelEnabled(level: string): boolean };
    if (!log.isLevelEnabled('debug')) return;
    app.addHook('onResponse', (request, reply, done) => {
      log.debug(
        {
          method: request.method,
          // The query may hold personal data.
          path: hideKeys(request.url.split('?', 1)[0] as string),
          status: reply.statusCode,
          ms: roundMs(reply.elapsedTime),
          request_id: request.id,
          ...(request.trace && { trace_id: request.trace.traceId }),
          ...(request.prediction && {
            model: request.prediction.model,
            model_version: request.prediction.version,
            prediction_id: request.prediction.predictionId,
          }),
          ...(request.key && { key: request.key.id }),
        },
        'request',
      );
      done();
    });
  },
  { name: 'request-log', fastify: '5.x' },
);
