import { existsSync } from 'node:fs';
import { readKeyEntries } from '../../auth/edit-keys.js';
import { defaultWindow, type KeyEntry } from '../../auth/keys-file.js';
import { readTime } from '../../time/timestamp.js';
import { printable, toPrintableJson, toTable } from '../terminal/terminal-text.js';
import type { KeysRequest } from './keys.js';

/** Prints the keys by what may be known of them: a digest tells nothing of its key. */
export async function listKeys({ path, args, context, now }: KeysRequest): Promise<number> {
  const entries = await readKeyEntries(path);
  if (args.flag('json')) {
    context.stdout.write(`${toPrintableJson(entries)}\n`);
    return 0;
  }
  if (entries.length === 0) {
    const reason = existsSync(path) ? '' : ': the file is not there';
    context.stdout.write(`no key is in ${printable(path)}${reason}\n`);
    return 0;
  }
  const rows = entries.map((entry) => [
    entry.id,
    toPrefix(entry),
    entry.scopes.join(','),
    modelsOf(entry),
    limitOf(entry),
    describeEnd(entry, now),
  ]);
  context.stdout.write(`${toTable([['id', 'sha256', 'scopes', 'models', 'limit', 'expires'], ...rows])}\n`);
  return 0;
}

/** As much of a digest as tells it from others. */
export function toPrefix({ sha256 }: KeyEntry): string {
  return sha256.slice(0, 12);
}

/** When a key ends, in a word or two. */
export function describeEnd({ expires }: KeyEntry, now: Date): string {
  if (expires === undefined) return 'never';
  return (readTime(expires) ?? 0) <= now.getTime() ? `${expires} (over)` : expires;
}

/** A key in a sentence without its end. */
export function describeEntry(entry: KeyEntry): string {
  const { id, scopes, rateLimit, expires } = entry;
  const parts = [`${id} may ${scopes.join(', ')}`, `models ${modelsOf(entry)}`];
  if (rateLimit !== undefined) parts.push(`limit ${limitOf(entry)}`);
  if (expires !== undefined) parts.push(`until ${expires}`);
  return parts.join('; ');
}

function modelsOf({ models = ['*'] }: KeyEntry): string {
  return models.includes('*') ? 'all' : models.join(',');
}

function limitOf({ rateLimit }: KeyEntry): string {
  return rateLimit === undefined ? '' : `${rateLimit.max} in ${rateLimit.window ?? defaultWindow}`;
}
