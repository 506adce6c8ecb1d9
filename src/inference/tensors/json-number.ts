import { ServiceError } from '../../errors.js';
import { fromFloat16 } from './float16.js';
import type { Tensor } from './tensor.js';

/** A short decimal that reads back as exactly this float32: 0.8083 instead of 0.8082999587059021. */
export function shortenFloat32(value: number): number {
  for (let scale = 1e7; scale <= 1e9; scale *= 10) {
    const rounded = Math.round(value * scale) / scale;
    if (Math.fround(rounded) === value) return rounded;
  }
  // Nine significant digits always identify a float32 (IEEE 754, 5.12.2).
  return Number.isFinite(value) ? Number(value.toPrecision(9)) : value;
}

/** Throws `output_not_finite` for NaN and infinities, `output_not_exact` for integers beyond ±(2^53 − 1). */
export function readNumber(tensor: Tensor, index: number, output: string): number {
  const element = readRaw(tensor, index, output);
  if (!Number.isFinite(element)) throw notFinite(element, output);
  return tensor.type === 'float32' ? shortenFloat32(element) : element;
}

/** As `readNumber`, but not shortened and perhaps not finite: for logits, and for comparisons. */
export function readRaw(tensor: Tensor, index: number, output: string): number {
  const element = tensor.data[index];
  if (typeof element === 'number') return tensor.type === 'float16' ? fromFloat16(element) : element;
  if (typeof element === 'bigint') {
    const number = Number(element);
    if (Number.isSafeInteger(number)) return number;
    throw new ServiceError('output_not_exact', {
      detail: `The output ${output} holds an integer beyond ±(2^53 − 1), which JSON numbers cannot carry exactly.`,
    });
  }
  throw new ServiceError('run_failed', {
    cause: new Error(`output ${output} of dims [${tensor.dims.join(', ')}] has no number at ${index}`),
  });
}

export function notFinite(value: number, output: string): ServiceError {
  return new ServiceError('output_not_finite', {
    detail: `The output ${output} is ${Number.isNaN(value) ? 'not a number (NaN)' : 'infinite'} for this input.`,
  });
}
