import type { Tensors } from './tensor.js';

/** What a parent asks of its child, one at a time. They cross as structured clones, and so do typed arrays. */
export type HostRequest =
  | { readonly kind: 'open'; readonly path: string; readonly threads: number }
  | { readonly kind: 'run'; readonly feeds: Tensors; readonly fetches: readonly string[] };

/** The answer to each, in the order asked. */
export type HostReply =
  | { readonly kind: 'opened' }
  | { readonly kind: 'ran'; readonly outputs: Tensors; readonly runMs: number }
  | { readonly kind: 'failed'; readonly reason: string };
