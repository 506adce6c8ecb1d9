import { engineVersion } from '../inference/engine/engine-version.js';
import { serverVersion } from '../version.js';
import type { Metrics } from './metrics.js';

/** Tells what this process is built of, and what it could not log. */
export function addProcessMetrics(metrics: Metrics, countLostLines: () => number): void {
  const build = { version: serverVersion, node: process.versions.node, onnxruntime: engineVersion };
  metrics
    .gauge('sardonyx_build_info', 'The versions that this server is built of; always 1')
    .series(build)
    .set(1);
  addLogMetrics(metrics, countLostLines);
}

/** A process that answers no request has a log as well. */
export function addLogMetrics(metrics: Metrics, countLostLines: () => number): void {
  metrics.counterOf(
    'log_lines_lost_total',
    'Lines of the log that could not be written, as where the disk is full or nobody reads',
    countLostLines,
  );
}
