import { setTimeout as pause } from 'node:timers/promises';
import fp from 'fastify-plugin';
import { type Config, limitsOf } from '../config/read-config.js';
import { RefusedError } from '../errors.js';
import { LineLimit } from '../log/line-limit.js';
import { createLoader } from '../models/loading/loader.js';
import { listDirectory } from '../models/registry/directory.js';
import type { LoadStats } from '../models/registry/loaded-version.js';
import { type LoadEvent, Registry } from '../models/registry/registry.js';
import { createLoadMetrics } from '../monitoring/prediction-metrics.js';
import { roundMs } from '../time/duration.js';

declare module 'fastify' {
  interface FastifyInstance {
    readonly registry: Registry;
    /** Resolves when every version of the folder is loaded or refused. */
    readonly modelsLoaded: Promise<void>;
  }
}

/** How often a load that still runs is logged. */
const logSlowLoadEveryMs = 5_000;

/** The most time that `close` waits for a load that it has aborted. */
const maxAbandonMs = 1_000;

/** Starts to load the models of a folder. If the folder cannot be read, the start fails. */
export default fp<Config>(
  async function registryPlugin(app, config) {
    const countLoad = createLoadMetrics(app.metrics);
    const onLoad = (event: LoadEvent): void => {
      countLoad(event);
      const { model, version, outcome, error } = event;
      const about = { model, model_version: version };
      if (outcome.state === 'refused') {
        app.log.error({ ...about, reason: outcome.reason, err: causeOf(error) }, 'version refused');
      }
      if (outcome.state !== 'ready') return;
      const { executorKind: executor, loadStats, identity } = outcome.loaded;
      app.log.info({ ...about, executor, identity, ...toLoggable(loadStats) }, 'version loaded');
    };
    const restarts = app.metrics.counter(
      'executor_restarts_total',
      'Runners of isolated versions that ended unexpectedly',
    );
    const fatal = app.metrics.counter(
      'executor_fatal_requests_total',
      'Requests that ended the runner of their version, by signal',
    );
    // A client can cause many such lines, with inputs that end the runner.
    const limit = new LineLimit();
    const loader = createLoader({
      ...limitsOf(config),
      onFatal: ({ model, version, requestId, how, operators }) => {
        fatal.series({ model, model_version: version, how }).add(1);
        const unlogged = limit.take('fatal');
        if (unlogged === undefined) return;
        const about = { model, model_version: version, request_id: requestId, how, operators, unlogged };
        app.log.error(about, 'a request has ended the process of its version');
      },
      onNotice: (text, { version, ...about }) => app.log.warn({ ...about, model_version: version }, text),
      onLost: (model, version, how) => {
        restarts.series({ model, model_version: version }).add(1);
        const unlogged = limit.take('lost');
        if (unlogged === undefined) return;
        const about = { model, model_version: version, how, unlogged };
        app.log.warn(about, 'the process of an isolated version has ended');
      },
    });
    const load: typeof loader.load = async (path, model, version) => {
      const started = performance.now();
      const timer = setInterval(() => {
        const seconds = Math.round((performance.now() - started) / 1_000);
        app.log.warn({ model, model_version: version, seconds }, 'a version is still loading');
      }, logSlowLoadEveryMs);
      try {
        return await loader.load(path, model, version);
      } finally {
        clearInterval(timer);
      }
    };
    const registry = new Registry({ load, defaultModel: config.DEFAULT_MODEL, onLoad });

    const listing = await listDirectory(config.MODELS_DIR);
    for (const remark of listing.skipped) app.log.warn({ remark }, 'skipped in the models folder');
    const loading = registry.apply(listing);
    // `modelsLoaded` still rejects. This handler only prevents an unhandled rejection if the server closes early.
    loading.catch(() => undefined);
    app.decorate('registry', registry);
    app.decorate('modelsLoaded', loading);
    app.addHook('onClose', async () => {
      registry.close();
      loader.close();
      // The aborted load removes its temporary files.
      const abandoned = new AbortController();
      const limit = pause(maxAbandonMs, undefined, { signal: abandoned.signal });
      await Promise.race([loading, limit]).catch(() => undefined);
      abandoned.abort();
    });
  },
  { name: 'registry', fastify: '5.x', dependencies: ['metrics'] },
);

/** Names and rounds the figures as `GET /models` does. */
function toLoggable(loadStats: LoadStats): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(loadStats).map(([name, value]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      typeof value === 'number' ? roundMs(value) : value,
    ]),
  );
}

/** The error of the engine or the system, which the reason does not repeat. */
function causeOf(error: unknown): unknown {
  return error instanceof RefusedError ? error.cause : error;
}
