import swagger from '@fastify/swagger';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import type { WorkerLink } from './cluster/worker-link.js';
import type { Config } from './config/read-config.js';
import arrival from './http/arrival.js';
import { describeBatchBody } from './http/body/batch-body.js';
import jsonBody from './http/body/json-body.js';
import { createClientErrorHandler, createConnectHandler, createRefuse } from './http/client-errors.js';
import drain, { type Draining } from './http/drain.js';
import pipelining from './http/pipelining.js';
import { createFaultLog } from './http/refusal-log.js';
import requestId, { createRequestId } from './http/request-id.js';
import { createResponseClass } from './http/server-response.js';
import protocol from './http/strict-http.js';
import auth from './plugins/auth.js';
import cache from './plugins/cache.js';
import clientAddress from './plugins/client-address.js';
import cluster from './plugins/cluster.js';
import cors from './plugins/cors.js';
import jobs from './plugins/jobs.js';
import limits from './plugins/limits/limits.js';
import metrics from './plugins/metrics.js';
import drift from './plugins/monitoring/drift.js';
import feedback from './plugins/monitoring/feedback.js';
import predictionLog from './plugins/monitoring/prediction-log.js';
import traffic from './plugins/monitoring/traffic.js';
import predictor from './plugins/predictor.js';
import problems, { sendProblem, toServiceError } from './plugins/problems.js';
import redis from './plugins/redis.js';
import registry from './plugins/registry.js';
import reload from './plugins/reload.js';
import requestLog from './plugins/request-log.js';
import unmatched from './plugins/unmatched.js';
import kserveV1Routes from './protocols/kserve-v1/routes.js';
import adminRoutes from './routes/admin.js';
import batchRoutes from './routes/batch.js';
import batchJobRoutes from './routes/batch-jobs.js';
import consoleRoutes from './routes/console/console.js';
import docsRoutes from './routes/docs.js';
import errorRoutes from './routes/errors.js';
import healthRoutes from './routes/health.js';
import metricsRoutes from './routes/metrics.js';
import modelRoutes from './routes/models.js';
import monitoringRoutes from './routes/monitoring/monitoring.js';
import predictRoutes from './routes/predict.js';
import rootRoutes from './routes/root.js';
import { limitedMark, securitySchemes } from './schemas/openapi/document.js';
import { schemas } from './schemas/openapi/schemas.js';
import tlsPlugin, { readTls } from './tls/secure-server.js';
import { serverVersion } from './version.js';

/**
 * Builds the whole server; it does not listen yet, and its models are still to be loaded. Each plugin comes after those
 * that it depends on; they close in reverse order. With `link` the server is one of several workers. With the role
 * `worker` it runs jobs, and answers nothing but its health and its metrics.
 */
export async function buildServer(
  config: Config,
  logger: FastifyBaseLogger,
  link?: WorkerLink,
  role: 'server' | 'worker' = 'server',
): Promise<FastifyInstance> {
  const problemSettings = {
    errorsUrl: `${config.PUBLIC_URL?.replace(/\/$/, '') ?? ''}/errors`,
    showsProblems: config.ERROR_DETAIL === 'on',
    logFault: createFaultLog(),
  };
  const draining: Draining = { isDraining: false };
  const tls = await readTls(config);
  // Node throws if this time-out is longer than that of the whole request.
  const headersTimeout = Math.min(config.HEADERS_TIMEOUT_MS, config.REQUEST_TIMEOUT_MS);
  const http = {
    ServerResponse: createResponseClass(draining, config.RESPONSE_TIMEOUT_MS),
    requireHostHeader: false,
    headersTimeout,
    requestTimeout: config.REQUEST_TIMEOUT_MS,
    // Node checks both time-outs at this interval, by default 30 s. Short, so that few requests expire at once: a 408
    // takes 0.1 ms.
    connectionsCheckingInterval: 100,
  };
  const refuse = createRefuse(problemSettings, (error, requestId, known) => {
    app.observeUnmatched(error.status, 0);
    problemSettings.logFault(app.log, error, () => ({ request_id: requestId, ...known }));
  });
  const app: FastifyInstance = Fastify({
    // With `https` Fastify returns another type; it has all members that are used here.
    ...(tls === undefined ? { http } : ({ https: { ...http, ...tls.options(headersTimeout) } } as object)),
    loggerInstance: logger,
    // A child logger for each request costs more than a prediction: each log call adds the request's id itself.
    childLoggerFactory: (parent) => parent,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: createRequestId,
    bodyLimit: config.BODY_LIMIT_BYTES,
    requestTimeout: config.REQUEST_TIMEOUT_MS,
    keepAliveTimeout: config.KEEP_ALIVE_TIMEOUT_MS,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    // No limit: a registry with many models on a slow disk takes long to read.
    pluginTimeout: 0,
    frameworkErrors: (error, request, reply) => {
      // Fastify runs no hook for such a request.
      reply.headers({ 'x-request-id': request.id, 'x-content-type-options': 'nosniff' });
      app.refuseUnmatched(request.raw, toServiceError(error, undefined), reply, (refusal, key) => {
        request.key = key;
        sendProblem(refusal, request, reply, problemSettings);
        app.observeUnmatched(reply.statusCode, reply.elapsedTime / 1_000);
      });
    },
    clientErrorHandler: (fault, socket) => createClientErrorHandler(app, refuse)(fault, socket),
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
  });
  app.server.on('connect', createConnectHandler(app, refuse));
  // Response schemas are documentation only; tests check the answers.
  app.setSerializerCompiler(() => JSON.stringify);
  for (const schema of schemas) app.addSchema(schema);

  await app.register(requestId);
  await app.register(requestLog);
  await app.register(metrics);
  // Imported here: without a collector a start loads nothing of it.
  if (config.OTEL_EXPORTER_OTLP_ENDPOINT !== undefined)
    await app.register((await import('./tracing/tracing.js')).default, config);
  await app.register(pipelining);
  await app.register(reload);
  await app.register(redis, config);
  await app.register(problems, problemSettings);
  await app.register(protocol);
  // Before `auth`: a preflight request has no key.
  if (config.CORS_ORIGINS !== undefined) await app.register(cors, { origins: config.CORS_ORIGINS });
  await app.register(clientAddress, config);
  await app.register(auth, config);
  await app.register(jsonBody);
  await app.register(drain, { draining });
  await app.register(arrival);
  if (tls !== undefined) await app.register(tlsPlugin, { tls });
  await app.register(limits, config);
  await app.register(unmatched);
  await app.register(registry, config);
  await app.register(cache, config);
  await app.register(predictor);
  await app.register(drift, config);
  await app.register(feedback, { ...config, isWorker: link !== undefined });
  await app.register(traffic, { isOn: config.CONSOLE === 'on' });
  await app.register(predictionLog, config);
  // A worker has no single rows to protect from its jobs.
  await app.register(jobs, role === 'worker' ? { ...config, JOBS_PROCESS: 'off' } : config);
  await app.register(cluster, { link, requiredModels: config.REQUIRED_MODELS, workers: config.WORKERS });

  if (role === 'worker') {
    await app.register(healthRoutes, { serverVersion });
    await app.register(metricsRoutes);
    await app.ready();
    return app;
  }
  if (config.DOCS === 'on') {
    await app.register(swagger, {
      openapi: {
        openapi: '3.1.0',
        info: {
          title: 'Sardonyx',
          version: serverVersion,
          description: 'Predictions of the models on this server.',
        },
        ...(app.needsKeys && { components: { securitySchemes } }),
        ...(config.PUBLIC_URL !== undefined && { servers: [{ url: config.PUBLIC_URL.replace(/\/$/, '') }] }),
      },
      // The document is made from the schema alone: the mark carries the route's setting into it.
      transform: ({ schema, url, route }) => ({
        url: route.config?.address ?? url,
        schema: {
          ...schema,
          ...(route.config?.documentedBody && {
            body: { content: describeBatchBody(route.config.documentedBody) },
          }),
          ...(route.config?.isLimited && { [limitedMark]: true }),
        },
      }),
      refResolver: {
        buildLocalReference: (json, _base, _fragment, index) => String(json['$id'] ?? `def-${index}`),
      },
    });
  }
  await app.register(predictRoutes);
  await app.register(batchRoutes, { ...config, showsProblems: problemSettings.showsProblems });
  await app.register(batchJobRoutes, config);
  await app.register(kserveV1Routes);
  await app.register(modelRoutes);
  await app.register(monitoringRoutes, config);
  await app.register(healthRoutes, { serverVersion });
  await app.register(metricsRoutes);
  await app.register(adminRoutes);
  await app.register(errorRoutes);
  await app.register(rootRoutes, {
    hasManual: config.DOCS === 'on',
    hasConsole: config.CONSOLE === 'on',
    hasMetrics: !app.needsKeys || config.METRICS_AUTH === 'open',
  });
  if (config.CONSOLE === 'on') await app.register(consoleRoutes);
  if (config.DOCS === 'on') await app.register(docsRoutes);
  await app.ready();
  return app;
}
