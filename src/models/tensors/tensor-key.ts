import { createHash } from 'node:crypto';
import { toBytes } from '../../inference/tensors/bytes.js';
import type { TensorRun } from './tensor-task.js';

/**
 * A text that two requests of tensors share if and only if they ask the same: SHA-256 over the names, types, dimensions
 * and elements of the inputs, and the outputs that are wanted, in their order. Tensors are large, and their texts are
 * kept.
 */
export function toTensorKey({ feeds, fetches }: TensorRun): string {
  const names = Object.keys(feeds).sort();
  const head = names.map((name) => [name, feeds[name]?.type, feeds[name]?.dims]);
  const hash = createHash('sha256').update(JSON.stringify([head, fetches]));
  for (const name of names) hash.update(toBytes(feeds[name]?.data ?? []));
  return hash.digest('base64url');
}
