/**
 * What a parent asks of its child, one at a time; the tensors of a run travel beside it (see frame.ts).
 * - `open`: the model at a path, or without one the bytes that travel as the tensor `model`; `copy` is a folder of the
 *   parent's own, which the child removes should the parent be killed; `title` is what the child is called from then on.
 * - `measure`: how much memory the child has taken so far.
 * - `close`: gives the model's memory back; another may be opened.
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

/**
 * The answer to each, in the order asked. Times are the engine's own, without the way there and back; `cpuMs` is that
 * of the processor, which other work of the machine does not lengthen.
 */
export type RunnerReply =
  | { readonly kind: 'opened'; readonly ms: number; readonly cpuMs: number }
  | { readonly kind: 'ran'; readonly ms: number }
  | { readonly kind: 'measured'; readonly residentBytes: number }
  | { readonly kind: 'closed' }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'too_large'; readonly detail: string };
