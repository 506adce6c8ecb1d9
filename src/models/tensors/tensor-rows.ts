import { sizeOf, type Tensor, type TensorData, type Tensors } from '../../inference/tensors/tensor.js';
import type { TensorRun } from './tensor-task.js';

/** The first dimension of the inputs, which is equal for all of them if requests share runs. */
export function countRows({ feeds }: TensorRun): number {
  for (const name in feeds) return feeds[name]?.dims[0] ?? 1;
  return 1;
}

/** Equal for requests whose inputs differ at most in the first dimension. */
export function shapeOf({ feeds }: TensorRun): string {
  let text = '';
  for (const name in feeds) {
    const { dims } = feeds[name] as Tensor;
    for (let axis = 1; axis < dims.length; axis += 1) text += `${dims[axis]},`;
    text += ';';
  }
  return text;
}

/** The dimensions of some outputs, by name. */
export function shapesOf(
  outputs: Tensors,
  names: readonly string[],
): Readonly<Record<string, readonly number[]>> {
  return Object.fromEntries(names.map((name) => [name, outputs[name]?.dims ?? []]));
}

/** One run for several requests: their rows in order, and every output that one of them wants. */
export function joinRuns(runs: readonly TensorRun[]): TensorRun {
  const [first] = runs;
  if (first === undefined || runs.length === 1) return first as TensorRun;
  return {
    feeds: joinRows(runs.map(({ feeds }) => feeds)),
    fetches: [...new Set(runs.flatMap(({ fetches }) => fetches))],
  };
}

/** The tensors of each name, concatenated along their first dimension. */
export function joinRows(parts: readonly Tensors[]): Tensors {
  const joined: Record<string, Tensor> = {};
  for (const name in parts[0]) joined[name] = joinTensors(parts.map((part) => part[name] as Tensor));
  return joined;
}

function joinTensors(tensors: readonly Tensor[]): Tensor {
  const { type, dims } = tensors[0] as Tensor;
  let rows = 0;
  for (const tensor of tensors) rows += tensor.dims[0] ?? 0;
  return { type, dims: [rows, ...dims.slice(1)], data: joinData(tensors.map(({ data }) => data)) };
}

function joinData(parts: readonly TensorData[]): TensorData {
  const [first] = parts;
  if (first === undefined || Array.isArray(first)) return (parts as readonly string[][]).flat();
  let size = 0;
  for (const part of parts) size += part.length;
  const joined = new (first.constructor as new (length: number) => Float32Array)(size);
  let at = 0;
  for (const part of parts) {
    // All parts belong to one input of one graph, so they have one element type.
    joined.set(part as Float32Array, at);
    at += part.length;
  }
  return joined;
}

/** Rows `from` to `from + count` of each tensor: views of the same memory, except for texts. */
export function sliceRows(tensors: Tensors, from: number, count: number): Tensors {
  const slices: Record<string, Tensor> = {};
  for (const name in tensors) slices[name] = sliceTensor(tensors[name] as Tensor, from, count);
  return slices;
}

export function sliceTensor({ type, dims, data }: Tensor, from: number, count: number): Tensor {
  const size = sizeOf(dims.slice(1));
  const [start, end] = [from * size, (from + count) * size];
  const rows = Array.isArray(data) ? data.slice(start, end) : data.subarray(start, end);
  return { type, dims: [count, ...dims.slice(1)], data: rows };
}

export function cutRun(run: TensorRun, maxRunRows: number): readonly TensorRun[] {
  const rows = countRows(run);
  if (rows <= maxRunRows) return [run];
  return Array.from({ length: Math.ceil(rows / maxRunRows) }, (_unused, k) => ({
    feeds: sliceRows(run.feeds, k * maxRunRows, Math.min(maxRunRows, rows - k * maxRunRows)),
    fetches: run.fetches,
  }));
}
