import { subscribe } from 'node:diagnostics_channel';

const failed = new WeakSet();
function shouldFail(request, fault) {
  if (request.headers['x-throw'] !== fault || failed.has(request)) return false;
  failed.add(request);
  return true;
}

/**
 * Loaded into a server by `--import`, to stand for a plugin with faults: Fastify tells this channel of each server
 * before anything is registered. A request chooses its fault: by `x-throw: <hook> <how>`, or by its address.
 * Each prediction meets two subscribers that fail. A hook fails once a request: were `onSend` to fail for the answer
 * to its own error as well, Fastify would answer with what it has.
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
  // After the error handler, as any plugin's routes: those before it would have Fastify's own.
  fastify.addHook('onRoute', function addRoutes({ url, method }) {
    if (url === '/health/live' && method === 'GET') registerRoutes(this);
  });
  fastify.addHook('onReady', async () => {
    // The instance that the files of the manual are asked of answers no predictions.
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
