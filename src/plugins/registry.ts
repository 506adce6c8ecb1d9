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

declare module 'fastify' {
  interface FastifyInstance {
    readonly registry: Registry;
    /** Resolves once every version of the folder is loaded or refused. */
    readonly modelsLoaded: Promise<void>;
  }
}

/** Whoever waits for a start is told what it waits for. */
const tellLoadEveryMs = 5_000;

/** The longest that the end of a server waits for a load that it has abandoned. */
const maxAbandonMs = 1_000;

/** Begins to load the models of a folder, and lends them out. A folder that cannot be read fails the start. */
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
      const { executorKind: executor, loadStats: figures, identity } = outcome.loaded;
      app.log.info({ ...about, executor, identity, ...toLoggable(figures) }, 'version loaded');
    };
    const restarts = app.metrics.counter(
      'executor_restarts_total',
      'Children of isolated versions that ended unasked',
    );
    const fatal = app.metrics.counter(
      'executor_fatal_requests_total',
      'Requests that ended the process of their version, by the signal',
    );
    // A client may cause these lines: values that end a process, over and over.
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
      const tell = setInterval(() => {
        const seconds = Math.round((performance.now() - started) / 1_000);
        app.log.warn({ model, model_version: version, seconds }, 'a version is still being loaded');
      }, tellLoadEveryMs);
      try {
        return await loader.load(path, model, version);
      } finally {
        clearInterval(tell);
      }
    };
    const registry = new Registry({ load, defaultModel: config.DEFAULT_MODEL, onLoad });

    const listing = await listDirectory(config.MODELS_DIR);
    for (const remark of listing.remarks) app.log.warn({ remark }, 'passed over in the registry');
    const loading = registry.apply(listing);
    // Whoever waits for it is told; a server that is closed before has nobody who does.
    loading.catch(() => undefined);
    app.decorate('registry', registry);
    app.decorate('modelsLoaded', loading);
    app.addHook('onClose', async () => {
      registry.close();
      loader.close();
      // It removes the files that it has made.
      const abandoned = new AbortController();
      const limit = pause(maxAbandonMs, undefined, { signal: abandoned.signal });
      await Promise.race([loading, limit]).catch(() => undefined);
      abandoned.abort();
    });
  },
  { name: 'registry', fastify: '5.x', dependencies: ['metrics'] },
);

/** The figures as `GET /models` names and rounds its own. */
function toLoggable(figures: LoadStats): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(figures).map(([name, value]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      typeof value === 'number' ? Math.round(value * 1_000) / 1_000 : value,
    ]),
  );
}

/** What the reason does not say: the engine's or the system's own words. */
function causeOf(error: unknown): unknown {
  return error instanceof RefusedError ? error.cause : error;
}
