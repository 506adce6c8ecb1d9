import type { Manifest } from './manifest.js';

/** A full batch that takes longer, on the server's own thread, would be felt by every other model. */
export const maxInlineRunMs = 1;

const defaults = {
  maxBatchRows: 256,
  maxBatchDelayMs: 0,
  intraOpNumThreads: 1,
  timeoutMs: 1_000,
  maxQueueRows: 4_096,
} as const;

/** How a version runs: what its manifest says, and for the rest the defaults. */
export function withDefaults(runtime: Manifest['runtime'] = {}) {
  return { ...defaults, ...runtime };
}
