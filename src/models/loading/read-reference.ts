import { messageOf, RefusedError } from '../../errors.js';
import { parseReference, type Reference } from '../examples/reference.js';
import type { VersionFiles } from './version-files.js';

/** A reference that cannot be used says nothing about the model: the version serves without drift detection. */
export function readReference({ reference, manifest }: VersionFiles): {
  readonly reference?: Reference;
  readonly referenceFault?: string;
} {
  if (reference === undefined) return {};
  try {
    return { reference: parseReference(reference, manifest) };
  } catch (error) {
    const reason = error instanceof RefusedError ? error.message : `reference.json: ${messageOf(error)}`;
    return { referenceFault: reason };
  }
}
