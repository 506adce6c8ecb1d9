import type { Tensors } from '../tensors/tensor.js';
import type { RunnerRequest } from './messages.js';

/** A model as bytes, or as a path if the engine must find further files beside it. */
export type ModelInput =
  | { readonly bytes: Uint8Array }
  | {
      readonly path: string;
      /** The folder of the path, which the child removes if its parent is killed. */
      readonly copy: string;
    };

export interface ModelSource {
  /** Returns the model, complete and unchanged, for one child. Throws if it is no longer available. */
  provide(): Promise<ModelInput>;
}

/** How a child opens a model. */
export interface OpenSettings {
  /** The process title of the child. */
  readonly title: string;
  readonly threads: number;
  readonly maxOutputBytes: number;
}

/** The request that opens a model in a child: its message, and its tensors. */
export function toOpenRequest(
  model: ModelInput,
  { title, threads, maxOutputBytes }: OpenSettings,
): [request: Extract<RunnerRequest, { kind: 'open' }>, tensors: Tensors] {
  const request = { kind: 'open', title, threads, maxOutputBytes } as const;
  if ('path' in model) return [{ ...request, ...model }, {}];
  const { bytes } = model;
  const tensors: Tensors = { model: { type: 'uint8', dims: [bytes.length], data: bytes } };
  return [request, tensors];
}
