import fp from 'fastify-plugin';
import { type Cluster, createCluster } from '../cluster/cluster-view.js';
import type { WorkerLink } from '../cluster/worker-link.js';
import { findMissing } from '../models/registry/readiness.js';

declare module 'fastify' {
  interface FastifyInstance {
    readonly cluster: Cluster;
  }
}

interface ClusterOptions {
  readonly link: WorkerLink | undefined;
  readonly requiredModels: string | undefined;
  readonly workers: number;
}

/** Provides the state of the whole server to the routes, whether it runs as one process or several. */
export default fp<ClusterOptions>(
  async function clusterPlugin(app, { link, requiredModels, workers }) {
    const listMissing = () => findMissing(app.registry, requiredModels);
    const { metrics, isDraining, cachedAnswers, feedback, traffic } = app;
    const drift = (question: string) => app.drift?.answer(question) ?? '';
    metrics.gaugeOf(
      'server_unready_reasons',
      'Reasons why the models cannot answer; 0 if the server is ready',
      () => listMissing().length,
    );
    const forget = async (identities: readonly string[]) => {
      const counts = await Promise.all(identities.map((it) => cachedAnswers?.clearLocal(it) ?? 0));
      return counts.reduce((sum, it) => sum + it, 0);
    };
    app.decorate(
      'cluster',
      createCluster(
        { metrics, isDraining, findMissing: listMissing, forget, feedback, drift, traffic, workers },
        link,
      ),
    );
    const logMissing = () => {
      // The server was closed before the models were loaded.
      if (app.registry.isStarting) return;
      const reasons = listMissing().map(({ reason }) => reason);
      if (reasons.length > 0) app.log.warn({ reasons }, 'not ready');
    };
    app.modelsLoaded.then(logMissing, () => undefined);
  },
  {
    name: 'cluster',
    fastify: '5.x',
    dependencies: ['cache', 'metrics', 'drain', 'registry', 'drift', 'feedback', 'traffic'],
  },
);
