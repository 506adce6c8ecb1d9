import { expect, test } from 'vitest';
import { createFrameReader, type Frame, toFrame } from '../../../src/inference/runner/frame.js';
import type { Tensors } from '../../../src/inference/tensors/tensor.js';
import { createRandom } from '../../helpers/onnx/random.js';

const tensors: Tensors = {
  empty: { type: 'float32', dims: [0, 3], data: new Float32Array(0) },
  odd: { type: 'uint8', dims: [3], data: Uint8Array.of(1, 2, 255) },
  doubles: { type: 'float64', dims: [2], data: Float64Array.of(-0, Number.NaN) },
  big: { type: 'int64', dims: [1], data: BigInt64Array.of(-(2n ** 63n)) },
  half: { type: 'float16', dims: [1], data: Uint16Array.of(0x3e00) },
  texts: { type: 'string', dims: [4], data: ['', 'é', '🜁', 'a\0b'] },
  'näme "x"': { type: 'bool', dims: [], data: Uint8Array.of(1) },
};

function bytesOf(frames: readonly Frame<unknown>[]): Buffer {
  return Buffer.concat(frames.flatMap((frame) => toFrame(frame)));
}

test('a frame is read unchanged from chunks of any size', () => {
  const frames = [
    { message: { kind: 'run', fetches: ['ü'] }, tensors },
    { message: { kind: 'close' }, tensors: {} },
  ];
  const bytes = bytesOf([...frames, ...frames]);
  const random = createRandom(7);
  for (const maxSize of [1, 7, 8, 9, 64, bytes.length]) {
    const read: Frame<unknown>[] = [];
    const push = createFrameReader((frame) => read.push(frame));
    for (let at = 0; at < bytes.length; ) {
      const size = Math.max(1, Math.ceil(random() * maxSize));
      push(bytes.subarray(at, at + size));
      at += size;
    }
    expect(read).toEqual([...frames, ...frames]);
  }
});

test('the tensors of a read frame are separate views of its bytes', () => {
  const read: Frame<unknown>[] = [];
  createFrameReader((frame) => read.push(frame))(bytesOf([{ message: 1, tensors }]));
  const all = read[0]?.tensors ?? {};
  const [doubles, big] = [all['doubles']?.data, all['big']?.data] as [Float64Array, BigInt64Array];
  expect(doubles.buffer).toBe(big.buffer);
  doubles[0] = 7;
  expect(big[0]).toBe(-(2n ** 63n));
});
