import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { Config } from '../config/read-config.js';
import { ConfigError } from '../errors.js';
import type { RunChunk } from '../jobs/queue/job-store.js';
import type { Trace } from '../prediction-request.js';
import { hideKeys } from '../text/describe-value.js';
import { serverVersion } from '../version.js';
import { traceChunks } from './chunk-spans.js';
import { createCollector } from './collector.js';
import { readEndpoint } from './endpoint.js';
import { createExporter, type ExporterEvents } from './exporter.js';
import { readHeaderList } from './header-list.js';
import { recordPrediction } from './prediction-spans.js';
import { createSampler, type SamplerName } from './sampler.js';
import {
  createSpanId,
  createTraceId,
  readTraceParent,
  readTraceState,
  writeTraceParent,
} from './trace-context.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Records the runs of chunks. Undefined without traces. */
    readonly traceChunks?: (run: RunChunk) => RunChunk;
  }
  interface FastifyRequest {
    /** Undefined without traces. */
    trace?: Trace;
  }
}

const sendTimeoutMs = 10_000;
/** Less than the time between the cut of the connections and the end of the process. */
const closeTimeoutMs = 1_500;
const logEveryMs = 60_000;
const longestPath = 256;

type TracingConfig = Pick<
  Config,
  | 'OTEL_EXPORTER_OTLP_ENDPOINT'
  | 'OTEL_EXPORTER_OTLP_HEADERS'
  | 'OTEL_SERVICE_NAME'
  | 'OTEL_TRACES_SAMPLER'
  | 'OTEL_TRACES_SAMPLER_ARG'
>;

/**
 * Sends traces to a collector of OpenTelemetry: a span for each request, with the stages of its prediction, and one for
 * each run of a chunk of a job. Imported only if a collector is configured.
 */
export default fp<TracingConfig>(
  async function tracingPlugin(app, config) {
    const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint = '', OTEL_EXPORTER_OTLP_HEADERS: list } = config;
    const headers = list === undefined ? {} : readHeaderList(list);
    // The value is not quoted: it may be a secret.
    if (headers === undefined)
      throw new ConfigError([
        'OTEL_EXPORTER_OTLP_HEADERS: takes name=value pairs, percent-encoded, separated by commas',
      ]);
    const url = readEndpoint(endpoint);
    if (typeof url === 'string') throw new ConfigError([`OTEL_EXPORTER_OTLP_ENDPOINT: ${url}`]);
    const ratio = Number(config.OTEL_TRACES_SAMPLER_ARG ?? 1);
    const sampler = createSampler(config.OTEL_TRACES_SAMPLER as SamplerName, ratio);
    const resource = { 'service.name': config.OTEL_SERVICE_NAME, 'service.version': serverVersion };
    const exporter = createExporter(
      createCollector(url, headers, sendTimeoutMs),
      { ...resource, 'process.pid': process.pid },
      createEvents(),
    );

    app.addHook('onRequest', (request, _reply, done) => {
      request.trace = beginTrace(request);
      done();
    });
    app.addHook('onResponse', (request, reply, done) => {
      const { trace, routeOptions } = request;
      if (trace?.isSampled) {
        const endedAt = performance.now();
        const route = routeOptions.config.address ?? routeOptions.url;
        const path = hideKeys(request.url.split('?', 1)[0] as string).slice(0, longestPath);
        const status = reply.statusCode;
        exporter.add({
          traceId: trace.traceId,
          spanId: trace.spanId,
          parentId: trace.parentId,
          state: trace.state,
          name: route === undefined ? request.method : `${request.method} ${route}`,
          kind: 'server',
          startedAt: endedAt - reply.elapsedTime,
          endedAt,
          isError: status >= 500,
          attributes: {
            'http.request.method': request.method,
            'url.path': path,
            'url.scheme': request.protocol,
            ...(route !== undefined && { 'http.route': route }),
            'http.response.status_code': status,
            ...(status >= 500 && { 'error.type': String(status) }),
            'sardonyx.request_id': request.id,
            ...(request.prediction && { 'sardonyx.prediction_id': request.prediction.predictionId }),
          },
        });
      }
      done();
    });
    app.decorate('traceChunks', (run: RunChunk) => traceChunks(run, exporter, sampler));
    app.addHook('onReady', async () => {
      app.predictions.subscribe((event) => recordPrediction(event, exporter));
    });
    app.addHook('onClose', () => exporter.close(closeTimeoutMs));

    function beginTrace({ headers, routeOptions }: FastifyRequest): Trace {
      const parent = readTraceParent(headers['traceparent']);
      const traceId = parent?.traceId ?? createTraceId();
      // Probes and scrapes come every few seconds, and would fill the collector.
      const isWanted = parent !== undefined || !isProbe(routeOptions.url);
      const isSampled = isWanted && sampler(traceId, parent?.isSampled);
      const span = { traceId, spanId: createSpanId(), isSampled };
      return {
        ...span,
        parentId: parent?.spanId,
        state: parent && readTraceState(headers['tracestate']),
        header: writeTraceParent(span),
      };
    }

    function createEvents(): ExporterEvents {
      const family = app.metrics.counter(
        'otel_spans_total',
        'Spans by result: sent; failed (the collector did not take them); dropped (the queue was full)',
      );
      const counts = {
        sent: family.series({ result: 'sent' }),
        failed: family.series({ result: 'failed' }),
        dropped: family.series({ result: 'dropped' }),
      };
      let nextLogAt = 0;
      return {
        onCount: (result, spans) => counts[result].add(spans),
        onProblem(problem) {
          const now = performance.now();
          if (now < nextLogAt) return;
          nextLogAt = now + logEveryMs;
          app.log.warn({ problem }, 'the collector of traces does not take spans: they are lost');
        },
      };
    }
  },
  { name: 'tracing', fastify: '5.x', dependencies: ['metrics'] },
);

function isProbe(route: string | undefined): boolean {
  return route === '/metrics' || route === '/health' || route?.startsWith('/health/') === true;
}
