import { subscribe } from 'node:diagnostics_channel';

const failed = new WeakSet();
function shouldFail(request, fault) {
  if (request.headers['x-throw'] !== fault || failed.has(request)) return false;
  failed.add(request);
  return true;
}

/**
 * Loaded into a server by `--import`, as a faulty plugin. Fastify publishes each new server on this channel before
 * anything is registered. A request chooses its fault by `x-throw: <hook> <how>` or by its path. Two subscribers fail
 * at each prediction. A hook fails once for each request: if `onSend` also failed for the answer to its own error,
 * Fastify would send that answer as it is.
 */
subscribe('fastify.initialization', ({ fastify }) => {
  for (const hook of ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'onSend', 'onResponse']) {
    fastify.addHook(hook, (request, ...more) => {
      if (shouldFail(request, `${hook} throw`)) throw new Error(`secret of ${hook}`);
      more.at(-1)();
    });
    fastify.addHook(hook, async (request) => {
      if (shouldFail(request, `${hook} reject`)) throw new Error(`secret of ${hook}`);
    });
  }
  // Routes that are registered before the server's error handler would use Fastify's own.
  fastify.addHook('onRoute', function addRoutes({ url, method }) {
    if (url === '/health/live' && method === 'GET') registerRoutes(this);
  });
  fastify.addHook('onReady', async () => {
    // The instance that serves the files of the manual has no predictions.
    if (!fastify.hasDecorator('predictions')) return;
    fastify.predictions.subscribe(() => {
      throw new Error('subscriber throws');
    });
    fastify.predictions.subscribe(async () => {
      throw new Error('subscriber rejects');
    });
  });
});

function registerRoutes(app) {
  const open = { config: { scope: 'open' } };
  app.get('/throw', open, () => {
    throw new Error('secret');
  });
  app.get('/reject', open, () => Promise.reject(new Error('secret')));
  app.get('/throw-later', open, (_request, reply) => {
    setImmediate(() => {
      throw new Error('nobody catches this');
    });
    reply.send('soon');
  });
  app.get('/reject-later', open, (_request, reply) => {
    setImmediate(() => Promise.reject(new Error('nobody catches this')));
    reply.send('soon');
  });
}
