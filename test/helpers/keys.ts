import { createHash } from 'node:crypto';
import type { KeyEntry } from '../../src/auth/keys-file.js';

/** Keys of tests are their names, made long enough to look like keys. */
export const secretOf = (name: string): string => `sdx_${name.padEnd(43, 'x')}`;

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** An entry of the file of keys, for the key `secretOf(name)`. */
export function entry(name: string, more: Partial<KeyEntry> = {}): KeyEntry {
  return { id: name, sha256: sha256(secretOf(name)), scopes: ['predict'], ...more };
}

export const withKey = (name: string) => ({ 'x-api-key': secretOf(name) });
