import type { Manifest } from './manifest.js';

/** A longer full batch on the server's own thread would delay every other model. */
export const maxInlineRunMs = 1;

const defaults = {
  maxBatchRows: 256,
  maxBatchDelayMs: 0,
  intraOpNumThreads: 1,
  timeoutMs: 1_000,
  maxQueueRows: 4_096,
} as const;

export function withDefaults(runtime: Manifest['runtime'] = {}) {
  return { ...defaults, ...runtime };
}
