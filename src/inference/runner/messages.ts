/**
 * A request of a parent to its child, one at a time. Tensors travel in the same frame (see frame.ts).
 * - `open` opens the model at `path`, or the bytes in the tensor `model`. The child removes the folder `copy` if the
 *   parent is killed, and takes `title` as its process title.
 * - `measure` returns the memory of the child.
 * - `close` releases the model. Another one may be opened.
 */
export type RunnerRequest =
  | {
      readonly kind: 'open';
      readonly path?: string | undefined;
      readonly threads: number;
      readonly maxOutputBytes: number;
      readonly copy?: string | undefined;
      readonly title: string;
    }
  | { readonly kind: 'run'; readonly fetches: readonly string[] }
  | { readonly kind: 'measure' }
  | { readonly kind: 'close' };

/** `ms` is the time in the child, without the transfer. `cpuMs` is CPU time, which a busy machine does not lengthen. */
export type RunnerReply =
  | { readonly kind: 'opened'; readonly ms: number; readonly cpuMs: number }
  | { readonly kind: 'ran'; readonly ms: number }
  | { readonly kind: 'measured'; readonly residentBytes: number }
  | { readonly kind: 'closed' }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'too_large'; readonly detail: string };
