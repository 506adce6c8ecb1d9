import { ServiceError } from '../errors.js';
import type { Tensors } from './tensor.js';
import { countBytes } from './tensor-bytes.js';

/** Throws `output_too_large` where the outputs of a run have more bytes than are to be sent on. */
export function limitOutputs(outputs: Tensors, maxBytes: number): void {
  const bytes = countBytes(outputs);
  if (bytes <= maxBytes) return;
  throw new ServiceError('output_too_large', {
    detail: `The outputs of this run have ${bytes} bytes, and ${maxBytes} are allowed.`,
  });
}
