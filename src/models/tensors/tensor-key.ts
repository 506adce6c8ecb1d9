import { createHash } from 'node:crypto';
import { toBytes } from '../../inference/tensors/bytes.js';
import type { TensorRun } from './tensor-task.js';

/**
 * A text that is equal for two requests if and only if their contents are equal: SHA-256 over the names, types,
 * dimensions and elements of the inputs, and the wanted outputs in their order. The cache keeps these texts, so they
 * must be short.
 */
export function toTensorKey({ feeds, fetches }: TensorRun): string {
  const names = Object.keys(feeds).sort();
  const head = names.map((name) => [name, feeds[name]?.type, feeds[name]?.dims]);
  const hash = createHash('sha256').update(JSON.stringify([head, fetches]));
  for (const name of names) hash.update(toBytes(feeds[name]?.data ?? []));
  return hash.digest('base64url');
}
