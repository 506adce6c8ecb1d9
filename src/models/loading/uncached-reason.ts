import { findRandomness, findTrainingMode } from '../../inference/analysis/graph-training.js';
import type { WarmUp } from '../warm-up/warm-up.js';
import type { CheckedModel } from './open-executor.js';

/**
 * A row that takes less of a full run costs less than a cache lookup. Measured with a forest of 3 features, 2 µs a row:
 * 0.95 of the processor time of CACHE=off if every row is a hit, 1.3 if every row is a miss.
 */
const cheapestCachedRowUs = 10;

/** Why the answers of a version are not cached, as text; undefined if they are. */
export function findUncachedReason(
  { files: { manifest }, graph }: CheckedModel,
  { isRepeatable, batchRunMs, batchRows }: WarmUp,
): string | undefined {
  const random = findRandomness(graph);
  if (random !== undefined) return `the graph holds a ${random}`;
  const training = findTrainingMode(graph);
  if (training !== undefined) return `${training} runs in training mode`;
  if (!isRepeatable) return 'it answers the same row differently each time';
  const { cache } = manifest.runtime ?? {};
  if (cache === false) return 'the manifest says so';
  const rowUs = batchRunMs === undefined ? Number.NaN : (1_000 * batchRunMs) / batchRows;
  if (cache === true || !(rowUs < cheapestCachedRowUs)) return undefined;
  return `a row of a full run takes ${rowUs.toPrecision(2)} µs, less than a cache lookup: "cache": true in /runtime caches its answers nevertheless`;
}
