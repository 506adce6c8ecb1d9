import { createHash } from 'node:crypto';
import type { KeyEntry } from '../../src/auth/keys-file.js';

/** The key of a test is its name, padded to the length of a real key. */
export const secretOf = (name: string): string => `sdx_${name.padEnd(43, 'x')}`;

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The entry of the key file for the key `secretOf(name)`. */
export function entry(name: string, more: Partial<KeyEntry> = {}): KeyEntry {
  return { id: name, sha256: sha256(secretOf(name)), scopes: ['predict'], ...more };
}

export const withKey = (name: string) => ({ 'x-api-key': secretOf(name) });
