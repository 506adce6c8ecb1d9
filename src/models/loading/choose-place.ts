import type { Executor } from '../../inference/executor.js';
import type { Trial } from '../../inference/trials.js';
import type { CheckedModel } from '../open-executor.js';
import { longestInlineRunMs } from '../runtime-settings.js';
import type { WarmUp } from './warm-up.js';

/** Opening a model on a thread that serves others may hold it up for so long. */
const longestInlineOpenMs = 100;

/**
 * Where a version runs, and why. `unproven` is what the graph says against the server's thread: it counts even where the
 * manifest asks for that thread, since a request could end the server there.
 */
export function choosePlace(
  { files: { manifest } }: CheckedModel,
  { runMs, batchRunMs, batchRows, unboundedReason }: WarmUp,
  { openMs }: Trial,
  { mayBlock, unproven }: { readonly mayBlock: boolean; readonly unproven: string | undefined },
): { kind: Executor['kind']; reason: string } {
  const wanted = manifest.runtime?.executor ?? 'auto';
  const risk = unproven ?? unboundedReason;
  if (wanted === 'isolated') return { kind: 'isolated', reason: 'the manifest says so' };
  if (risk !== undefined) {
    const ignored = wanted === 'inline' ? ', although the manifest says inline' : '';
    return { kind: 'isolated', reason: `${risk}${ignored}` };
  }
  if (wanted === 'inline') return { kind: 'inline', reason: 'the manifest says so' };
  const isBatchLonger = batchRunMs !== undefined && batchRunMs > runMs;
  const longestMs = isBatchLonger ? batchRunMs : runMs;
  if (longestMs > longestInlineRunMs) {
    const rows = batchRows === 1 || !isBatchLonger ? '1 row' : `${batchRows} rows`;
    return { kind: 'isolated', reason: `a run of ${rows} takes ${longestMs.toFixed(1)} ms` };
  }
  if (!mayBlock && openMs > longestInlineOpenMs) {
    return { kind: 'isolated', reason: `it takes ${openMs.toFixed(0)} ms to open while others are served` };
  }
  return { kind: 'inline', reason: 'its runs are short' };
}
