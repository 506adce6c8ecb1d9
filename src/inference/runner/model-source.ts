import type { Tensors } from '../tensors/tensor.js';

/** What a child opens: bytes, or a path where the engine looks for more files beside it. */
export type ModelInput =
  | { readonly bytes: Uint8Array }
  | {
      readonly path: string;
      /** The folder of the path, which the child removes should its parent be killed. */
      readonly copy: string;
    };

/** Where each child of a version gets the model from. */
export interface ModelSource {
  /** The model, whole and unchanged. Throws what says why it cannot be had any more. */
  provide(): Promise<ModelInput>;
}

/** What a child is asked with to open a model: bytes travel as the tensor `model`. */
export function toOpening(model: ModelInput): {
  readonly path?: string;
  readonly copy?: string;
  readonly tensors: Tensors;
} {
  if ('path' in model) return { ...model, tensors: {} };
  const { bytes } = model;
  return { tensors: { model: { type: 'uint8', dims: [bytes.length], data: bytes } } };
}
