import type { Executor } from '../../inference/engine/executor.js';
import type { Sandbox } from '../../inference/runner/sandbox.js';
import { maxInlineRunMs } from '../manifest/runtime-defaults.js';
import type { WarmUp } from '../warm-up/warm-up.js';
import type { CheckedModel } from './open-executor.js';

/**
 * Opening a model holds the server's thread, and no probe may wait for more than 100 ms. It is the processor's time that
 * counts, so that a version runs in the same place however busy the machine was when it was loaded.
 */
const maxInlineOpenMs = 75;

/**
 * Where a version runs, and why. `unproven` is what the graph says against the server's thread: it counts even where the
 * manifest asks for that thread, since a request could end the server there. So does an opening that takes long, since
 * a probe could.
 */
export function chooseExecutor(
  { files: { manifest } }: CheckedModel,
  { runMs, batchRunMs, batchRows, unboundedReason }: WarmUp,
  { openCpuMs }: Pick<Sandbox, 'openCpuMs'>,
  unproven: string | undefined,
): { kind: Executor['kind']; reason: string } {
  const wanted = manifest.runtime?.executor ?? 'auto';
  const holds =
    openCpuMs > maxInlineOpenMs
      ? `opening it would hold the server's thread for ${openCpuMs.toFixed(0)} ms`
      : undefined;
  const risk = unproven ?? unboundedReason ?? holds;
  if (wanted === 'isolated') return { kind: 'isolated', reason: 'the manifest says so' };
  if (risk !== undefined) {
    const ignored = wanted === 'inline' ? ', although the manifest says inline' : '';
    return { kind: 'isolated', reason: `${risk}${ignored}` };
  }
  if (wanted === 'inline') return { kind: 'inline', reason: 'the manifest says so' };
  const isBatchLonger = batchRunMs !== undefined && batchRunMs > runMs;
  const longestMs = isBatchLonger ? batchRunMs : runMs;
  if (longestMs > maxInlineRunMs) {
    const rows = batchRows === 1 || !isBatchLonger ? '1 row' : `${batchRows} rows`;
    return { kind: 'isolated', reason: `a run of ${rows} takes ${longestMs.toFixed(1)} ms` };
  }
  return { kind: 'inline', reason: 'its runs are short' };
}
