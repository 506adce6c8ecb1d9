import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { readShare } from '../../config/prediction-log.js';
import type { Config } from '../../config/read-config.js';
import { LineLimit } from '../../log/line-limit.js';
import { toLoggedError } from '../../log/logged-error.js';
import type { LoadedVersion } from '../../models/registry/loaded-version.js';
import { DriftComparisons, type DriftFindings } from '../../monitoring/drift/drift-findings.js';
import { createDriftGauges, nameVersion } from '../../monitoring/drift/drift-metrics.js';
import { DriftMonitor } from '../../monitoring/drift/drift-monitor.js';
import type { DriftReport } from '../../monitoring/drift/drift-report.js';
import { answerQuestion, readAll, readOwn } from '../../monitoring/drift/drift-source.js';
import { nextTurnAlone } from '../../time/slices.js';

export interface Drift {
  /** Answers what another process asks about the rows that this one has. */
  answer(question: string): string;
  /** Compares the rows of all processes with the reference; undefined if the version has none. */
  findingsOf(loaded: LoadedVersion): Promise<DriftFindings | undefined>;
  /** The columns that the last comparison in this process, at most a minute old, found to have drifted. */
  lastDrifted(loaded: LoadedVersion): readonly string[];
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Undefined if `DRIFT=off`. */
    readonly drift: Drift | undefined;
  }
}

type DriftConfig = Pick<Config, 'DRIFT' | 'DRIFT_WINDOW_ROWS' | 'DRIFT_WINDOW_SECONDS' | 'DRIFT_THRESHOLD'>;

const refreshEveryMs = 60_000;

/** Keeps recent rows of versions that have a reference, and shows how far they are from it. */
export default fp<DriftConfig>(
  async function driftPlugin(app, config) {
    if (config.DRIFT === 'off') {
      app.decorate('drift', undefined);
      return;
    }
    const threshold = readShare(config.DRIFT_THRESHOLD) ?? 0;
    const size = { rows: config.DRIFT_WINDOW_ROWS, ms: config.DRIFT_WINDOW_SECONDS * 1_000 };
    const monitor = new DriftMonitor(size, ({ model, version, manifest }) => {
      const loaded = findLoaded(app, (it) => it.name === model && it.version === version);
      return loaded?.manifest === manifest ? loaded : undefined;
    });
    const gauges = createDriftGauges(app.metrics);
    /** By manifest, which is one object for each load of a version. */
    const lastDrifted = new WeakMap<object, readonly string[]>();
    const comparisons = new DriftComparisons({ rows: size.rows, threshold });
    const limit = new LineLimit();
    const windowOf = (identity: string) => {
      const loaded = findLoaded(app, (it) => it.identity === identity);
      return loaded && monitor.windowOf(loaded);
    };
    const drift: Drift = {
      answer: (question) => answerQuestion(question, windowOf, Date.now()),
      async findingsOf(loaded) {
        const window = monitor.windowOf(loaded);
        if (window === undefined) return undefined;
        const { identity, manifest, name: model, version: model_version, reference } = loaded;
        const ask = app.cluster.askForDrift;
        const source = ask === undefined ? readOwn(window) : readAll(identity, ask);
        const subject = { columns: window.columns, source, referenceRows: reference?.rows ?? 0 };
        const findings = await comparisons.findingsOf(manifest, subject);
        // Each of those that waited writes an answer now, which takes some milliseconds for hundreds of columns.
        await nextTurnAlone();
        const missing_workers = findings.missing;
        const unlogged = missing_workers === 0 ? undefined : limit.take('workers');
        if (unlogged !== undefined)
          app.log.warn(
            { model, model_version, missing_workers, unlogged },
            'drift is measured without the rows of workers that do not answer',
          );
        if (findings.report === undefined) lastDrifted.delete(manifest);
        else lastDrifted.set(manifest, listDrifted(findings.report));
        return findings;
      },
      lastDrifted: (loaded) => lastDrifted.get(loaded.manifest) ?? [],
    };
    app.decorate('drift', drift);
    app.predictions.subscribe((event) => monitor.observe(event));

    /** The columns that the last line of a version named. */
    const logged = new Map<string, string>();
    const refresh = async (): Promise<void> => {
      const versions = listLoaded(app);
      const names = new Set(versions.map(({ name, version }) => nameVersion(name, version)));
      gauges.keepOnly(names);
      for (const name of logged.keys()) if (!names.has(name)) logged.delete(name);
      for (const loaded of versions) {
        const findings = await drift.findingsOf(loaded);
        if (findings === undefined) continue;
        const { name, version } = loaded;
        gauges.show(name, version, findings.extent?.rows ?? 0, findings.report);
        if (findings.report !== undefined) logChange(name, version, findings.report);
      }
    };
    let isRefreshing = false;
    const timer = setInterval(() => {
      if (isRefreshing) return;
      isRefreshing = true;
      refresh()
        .catch((error: unknown) => {
          const unlogged = limit.take('refresh');
          if (unlogged !== undefined)
            app.log.error({ err: toLoggedError(error), unlogged }, 'drift was not measured');
        })
        .finally(() => {
          isRefreshing = false;
        });
    }, refreshEveryMs).unref();
    app.addHook('onClose', async () => clearInterval(timer));

    /** One line when other columns drift than before. */
    function logChange(model: string, model_version: string, report: DriftReport): void {
      const drifted = listDrifted(report);
      const key = nameVersion(model, model_version);
      const text = drifted.join();
      if ((logged.get(key) ?? '') === text) return;
      logged.set(key, text);
      const about = { model, model_version, columns: drifted };
      if (drifted.length === 0) app.log.info(about, 'drift has ended');
      else app.log.warn(about, `drift: ${drifted.slice(0, 10).join(', ')}`);
    }
  },
  { name: 'drift', fastify: '5.x', dependencies: ['metrics', 'registry', 'predictor'] },
);

function listDrifted({ columns }: DriftReport): readonly string[] {
  return columns.filter(({ drifted }) => drifted.length > 0).map(({ name }) => name);
}

function listLoaded({ registry }: FastifyInstance): readonly LoadedVersion[] {
  return registry
    .list()
    .flatMap(({ versions }) =>
      [...versions.values()].flatMap((it) => (it.state === 'ready' ? [it.loaded] : [])),
    );
}

function findLoaded(
  app: FastifyInstance,
  fits: (loaded: LoadedVersion) => boolean,
): LoadedVersion | undefined {
  return listLoaded(app).find(fits);
}
