import {
  allocate,
  type ElementType,
  sizeOf,
  type Tensor,
  type Tensors,
  toElement,
} from '../../inference/tensors/tensor.js';
import { createRandom, drawNormal } from './random.js';

/** Whole numbers are often ids, and only small ids are sure to exist: the first samples have the smallest. */
const largestIds = [1, 1, 3, 3, 9, 9, 99, 255];
const otherScales = [100, 0.1, 10];

/** Requests of one row with the types and shapes of `base` and different values; the same requests in each load. */
export function createSampleTensors(base: Tensors, count: number): readonly Tensors[] {
  const random = createRandom(20_261_128);
  return Array.from({ length: count }, (_unused, k) =>
    Object.fromEntries(
      Object.entries(base).map(([name, { type, dims }]) => {
        const scale = otherScales[count - k - 1] ?? 1;
        return [name, drawTensor(type, [1, ...dims.slice(1)], k, scale, random)];
      }),
    ),
  );
}

function drawTensor(
  type: ElementType,
  dims: readonly number[],
  sample: number,
  scale: number,
  random: () => number,
): Tensor {
  const size = sizeOf(dims);
  const data = allocate(type, size) as (number | bigint | string)[];
  const largest = largestIds[sample % largestIds.length] as number;
  for (let k = 0; k < size; k += 1) data[k] = drawElement(type, largest, scale, random);
  return { type, dims, data: data as Tensor['data'] };
}

function drawElement(type: ElementType, largest: number, scale: number, random: () => number) {
  switch (type) {
    case 'string':
      return ['a', '', 'two words', 'a text of some more words'][Math.floor(random() * 4)] as string;
    case 'bool':
      return random() < 0.5 ? 0 : 1;
    case 'float32':
    case 'float64':
    case 'float16':
      return toElement(drawNormal(random) * scale, type);
    default:
      return toElement(Math.min(Math.floor(random() * (largest + 1)), type === 'int8' ? 127 : 255), type);
  }
}
