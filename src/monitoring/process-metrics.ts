import { engineVersion } from '../inference/engine/engine-version.js';
import { serverVersion } from '../version.js';
import type { Metrics } from './metrics.js';

/** Adds the versions that this process is built from, and the metrics of its log. */
export function addProcessMetrics(metrics: Metrics, countLostLines: () => number): void {
  const build = { version: serverVersion, node: process.versions.node, onnxruntime: engineVersion };
  metrics
    .gauge('sardonyx_build_info', 'The versions that this server is built from; always 1')
    .series(build)
    .set(1);
  addLogMetrics(metrics, countLostLines);
}

/** Separate, since the supervisor has a log but answers no request. */
export function addLogMetrics(metrics: Metrics, countLostLines: () => number): void {
  metrics.counterOf(
    'log_lines_lost_total',
    'Lines of the log that could not be written, for example on a full disk or a full pipe',
    countLostLines,
  );
}
