import { ServiceError } from '../../errors.js';
import { countBytes } from '../tensors/bytes.js';
import { countArrays, maxArrays } from '../tensors/json-write.js';
import type { Tensors } from '../tensors/tensor.js';

/** Throws `output_too_large` for outputs of more than `maxBytes` bytes, or of more than `maxArrays` arrays as JSON. */
export function limitOutputs(outputs: Tensors, maxBytes: number): void {
  const bytes = countBytes(outputs);
  if (bytes > maxBytes) throw tooLarge(`have ${bytes} bytes, and ${maxBytes}`);
  let arrays = 0;
  for (const name in outputs) arrays += countArrays(outputs[name]?.dims ?? []);
  if (arrays > maxArrays) throw tooLarge(`have as JSON ${arrays} arrays, and ${maxArrays}`);
}

function tooLarge(what: string): ServiceError {
  return new ServiceError('output_too_large', {
    detail: `The outputs of this run ${what} are allowed.`,
  });
}
