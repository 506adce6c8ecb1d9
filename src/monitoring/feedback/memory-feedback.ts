import { runInSlices } from '../../time/slices.js';
import type { FeedbackItem, FeedbackOptions, FeedbackResult, FeedbackStore } from './feedback-store.js';
import { readActual, toActualText } from './outcome-shape.js';
import { PredictionRing } from './prediction-ring.js';
import { toCells } from './quality-cells.js';
import { shareReads } from './shared-reads.js';
import { createWindowedCells } from './windowed-cells.js';

/** Half of the usual one: a step may take a while, since the first one copies a part of the window at once. */
const sliceMs = 4;

/** Keeps the last predictions of this process in its memory. */
export function createMemoryFeedback(options: FeedbackOptions): FeedbackStore {
  const { windowSeconds, maxPredictions, onDrop, now = monotonicSeconds } = options;
  /** What was recorded, as text, by slot. */
  const recorded = new Map<number, string>();
  const ring = new PredictionRing(maxPredictions, options, (slot, at) => {
    if (!recorded.delete(slot) && now() - at < windowSeconds) onDrop(1);
  });
  const sums = createWindowedCells(windowSeconds);

  function judge({ predictionId, actual }: FeedbackItem, keyId: string | undefined): FeedbackResult {
    const slot = ring.kept.find(predictionId);
    const kept = slot < 0 ? undefined : ring.read(slot);
    if (kept === undefined || kept.keyId !== keyId || now() - kept.at >= windowSeconds)
      return { result: 'unknown' };
    const { model } = kept;
    const read = readActual(kept.shape, kept, actual);
    if (typeof read === 'string') return { result: 'invalid', model, reason: read };
    const text = toActualText(read);
    const before = recorded.get(slot);
    if (before !== undefined) return toRepeated(model, before, text);
    recorded.set(slot, text);
    sums.add(kept, toCells(kept.shape, kept, read), now());
    return { result: 'recorded', model };
  }

  return {
    isShared: false,
    keep: (event) => void ring.keep(event, Math.floor(now())),
    join: async (items, keyId) => items.map((item) => judge(item, keyId)),
    sums: shareReads((model) => runInSlices(sums.sums(now(), model), sliceMs)),
    close: async () => undefined,
  };
}

/** The result of a feedback for a prediction that has one. Both are texts of `toActualText`. */
export function toRepeated(model: string, before: string, text: string): FeedbackResult {
  if (before === text) return { result: 'already_recorded', model };
  return {
    result: 'conflict',
    model,
    reason: `${before.slice(0, 64)} was recorded for this prediction before, and stays`,
  };
}

export function monotonicSeconds(): number {
  return performance.now() / 1_000;
}
