import type { Tensors } from '../tensors/tensor.js';

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

export function toOpening(model: ModelInput): {
  readonly path?: string;
  readonly copy?: string;
  readonly tensors: Tensors;
} {
  if ('path' in model) return { ...model, tensors: {} };
  const { bytes } = model;
  return { tensors: { model: { type: 'uint8', dims: [bytes.length], data: bytes } } };
}
