import type { Executor } from '../../inference/engine/executor.js';
import type { Sandbox } from '../../inference/runner/sandbox.js';
import { maxInlineRunMs } from '../manifest/runtime-defaults.js';
import type { WarmUp } from '../warm-up/warm-up.js';
import type { CheckedModel } from './open-executor.js';

/**
 * Opening a model blocks the server's thread, and no probe may wait for more than 100 ms. The limit is processor time,
 * so that a busy machine does not change where a version runs.
 */
const maxInlineOpenMs = 75;

/**
 * Decides where a version runs. `unproven` is why the graph must not run on the server's thread. It overrides `inline`
 * in the manifest, since a request could crash the server. So does a slow opening, since a probe could time out and
 * restart the server.
 */
export function chooseExecutor(
  { files: { manifest } }: CheckedModel,
  { runMs, batchRunMs, batchRows, unboundedReason }: WarmUp,
  { openCpuMs, isOwn }: Pick<Sandbox, 'openCpuMs' | 'isOwn'>,
  unproven: string | undefined,
): { kind: Executor['kind']; reason: string } {
  if (isOwn) return { kind: 'inline', reason: 'this process serves no requests' };
  const wanted = manifest.runtime?.executor ?? 'auto';
  const slowOpening =
    openCpuMs > maxInlineOpenMs
      ? `opening it would hold the server's thread for ${openCpuMs.toFixed(0)} ms`
      : undefined;
  const risk = unproven ?? unboundedReason ?? slowOpening;
  if (wanted === 'isolated') return { kind: 'isolated', reason: 'the manifest says so' };
  if (risk !== undefined) {
    const ignored = wanted === 'inline' ? ', although the manifest says inline' : '';
    return { kind: 'isolated', reason: `${risk}${ignored}` };
  }
  if (wanted === 'inline') return { kind: 'inline', reason: 'the manifest says so' };
  const isBatchLonger = batchRunMs !== undefined && batchRunMs > runMs;
  const maxMs = isBatchLonger ? batchRunMs : runMs;
  if (maxMs > maxInlineRunMs) {
    const rows = batchRows === 1 || !isBatchLonger ? '1 row' : `${batchRows} rows`;
    return { kind: 'isolated', reason: `a run of ${rows} takes ${maxMs.toFixed(1)} ms` };
  }
  return { kind: 'inline', reason: 'its runs are short' };
}
