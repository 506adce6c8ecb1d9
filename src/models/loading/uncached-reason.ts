import { findRandomness, findTrainingMode } from '../../inference/graph-training.js';
import type { CheckedModel } from '../open-executor.js';
import type { WarmUp } from './warm-up.js';

/** Why the answers of a version are not remembered: it gives others each time, or its manifest says so. */
export function findUncachedReason(
  { files: { manifest }, graph }: CheckedModel,
  { isRepeatable }: WarmUp,
): string | undefined {
  const random = findRandomness(graph);
  if (random !== undefined) return `the graph holds a ${random}`;
  const training = findTrainingMode(graph);
  if (training !== undefined) return `${training} runs in training mode`;
  if (!isRepeatable) return 'it answers the same row differently each time';
  return manifest.runtime?.cache === false ? 'the manifest says so' : undefined;
}
