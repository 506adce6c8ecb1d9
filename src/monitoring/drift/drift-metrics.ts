import type { Labels, Metrics } from '../metrics.js';
import type { DriftReport, JudgedColumn } from './drift-report.js';

export interface DriftGauges {
  /** `report` is undefined if the window has too few rows. */
  show(model: string, version: string, rows: number, report: DriftReport | undefined): void;
  /** Ends the series of versions that are not loaded any more. */
  keepOnly(versions: ReadonlySet<string>): void;
}

/** A version, as `keepOnly` takes it. */
export const nameVersion = (model: string, version: string) => `${model}/${version}`;

/** Gauges of drift. Their labels are names of loaded versions and of features in their manifests. */
export function createDriftGauges(metrics: Metrics): DriftGauges {
  const statistic = metrics.gauge(
    'feature_drift_statistic',
    'The statistic of a feature, or of an output, against the reference, by test',
  );
  const pValue = metrics.gauge('feature_drift_p_value', 'The p-value of this test, before its adjustment');
  const psi = metrics.gauge('feature_drift_psi', 'The population stability index against the reference');
  const detected = metrics.gauge(
    'feature_drift_detected',
    'Whether a feature, or an output, has drifted: 0 or 1',
  );
  const windowRows = metrics.gauge('drift_window_rows', 'Rows of the window that drift is measured on');
  const families = { statistic, pValue, psi, detected };
  type Shown = { readonly family: { remove(labels: Labels): void }; readonly labels: Labels };
  const shown = new Map<string, Map<string, Shown>>();

  function set(
    name: string,
    family: typeof statistic,
    labels: Labels,
    value: number,
    kept: Map<string, Shown>,
  ): void {
    family.series(labels).set(value);
    kept.set(`${name} ${JSON.stringify(labels)}`, { family, labels });
  }

  return {
    show(model, version, rows, report) {
      const about = { model, model_version: version };
      const kept = new Map<string, Shown>();
      set('rows', windowRows, about, rows, kept);
      for (const column of report?.columns ?? []) {
        const labels = { ...about, ...labelsOf(column) };
        set('statistic', families.statistic, { ...labels, test: column.test }, column.statistic, kept);
        set('pValue', families.pValue, { ...labels, test: column.test }, column.pValue, kept);
        set('psi', families.psi, labels, column.psi, kept);
        set('detected', families.detected, labels, column.drifted.length > 0 ? 1 : 0, kept);
      }
      const key = nameVersion(model, version);
      for (const [name, { family, labels }] of shown.get(key) ?? [])
        if (!kept.has(name)) family.remove(labels);
      shown.set(key, kept);
    },
    keepOnly(versions) {
      for (const [key, series] of shown) {
        if (versions.has(key)) continue;
        for (const { family, labels } of series.values()) family.remove(labels);
        shown.delete(key);
      }
    },
  };
}

function labelsOf({ place, name }: JudgedColumn): Labels {
  return { column: place === 'features' ? 'feature' : 'output', feature: name };
}
