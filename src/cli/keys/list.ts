import { existsSync } from 'node:fs';
import { readKeyEntries } from '../../auth/edit-keys.js';
import { defaultWindow, type KeyEntry } from '../../auth/keys-file.js';
import { readTime } from '../../time/timestamp.js';
import { printable, toPrintableJson, toTable } from '../terminal/terminal-text.js';
import type { KeysRequest } from './keys.js';

/** Prints the entries of the file. They are not secret: a digest does not reveal its key. */
export async function listKeys({ path, args, context, now }: KeysRequest): Promise<number> {
  const entries = await readKeyEntries(path);
  if (args.flag('json')) {
    context.stdout.write(`${toPrintableJson(entries)}\n`);
    return 0;
  }
  if (entries.length === 0) {
    const reason = existsSync(path) ? '' : ': the file does not exist';
    context.stdout.write(`there is no key in ${printable(path)}${reason}\n`);
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

/** Enough of a digest to identify it. */
export function toPrefix({ sha256 }: KeyEntry): string {
  return sha256.slice(0, 12);
}

export function describeEnd({ expires }: KeyEntry, now: Date): string {
  if (expires === undefined) return 'never';
  return (readTime(expires) ?? 0) <= now.getTime() ? `${expires} (expired)` : expires;
}

/** A sentence about a key, without a full stop. */
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
  if (rateLimit === undefined) return '';
  const { max, rows, window = defaultWindow } = rateLimit;
  return `${max}${rows === undefined ? '' : ` and ${rows} rows`} in ${window}`;
}
