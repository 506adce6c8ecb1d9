import { hash, randomBytes } from 'node:crypto';
import { scopes as allScopes, type Scope } from '../../auth/api-key.js';
import { editKeys } from '../../auth/edit-keys.js';
import { defaultWindow, type KeyEntry, keyPrefix } from '../../auth/keys-file.js';
import { RefusedError } from '../../errors.js';
import { modelNamePattern } from '../../models/manifest/names.js';
import { windowForm, windowPattern } from '../../time/duration.js';
import { expiryForm, toExpiry } from '../../time/timestamp.js';
import { type Args, suggest, UsageError } from '../terminal/command.js';
import { printable } from '../terminal/terminal-text.js';
import type { KeysRequest } from './keys.js';
import { describeEntry } from './list.js';

/** Stores the digest of a new key and prints the key, which cannot be shown again. */
export async function createKey({ path, args, context, now }: KeysRequest, id: string): Promise<number> {
  const wanted = readWanted(args, now);
  const key = `${keyPrefix}${randomBytes(32).toString('base64url')}`;
  let entry: KeyEntry | undefined;
  let others = 0;
  await editKeys(path, (entries) => {
    const before = entries.filter((it) => it.id === id);
    others = before.length;
    const last: Partial<KeyEntry> = before.at(-1) ?? {};
    const { scopes = ['predict', 'read'], models, rateLimit } = last;
    if (others > 0 && wanted.rateLimit !== undefined && !isSame(wanted.rateLimit, rateLimit)) {
      throw new RefusedError(
        `${id} has ${others} key${others === 1 ? '' : 's'} with another limit, and all keys of an ID share one limit: change it in ${path}`,
      );
    }
    const likeLast = { scopes, ...(models && { models }), ...(rateLimit && { rateLimit }) };
    entry = { id, sha256: hash('sha256', key, 'hex'), ...likeLast, ...wanted };
    return [...entries, entry];
  });
  // Printed only after it is stored, so that every printed key works.
  context.stdout.write(`${key}\n`);
  context.stderr.write(
    `${describeEntry(entry as KeyEntry)}. ${printable(path)} holds only the digest of the key, which cannot be shown again.\n${
      others === 0 ? '' : `${id} now has ${others + 1} keys; sardonyx keys revoke removes the old one.\n`
    }`,
  );
  return 0;
}

function readWanted(args: Args, now: Date): Partial<Omit<KeyEntry, 'id' | 'sha256'>> {
  const wantedScopes = args.list('scopes')?.map(toScope);
  const models = args.list('models');
  const wrong = models?.find((name) => name !== '*' && !modelNamePattern.test(name));
  if (wrong !== undefined) throw new UsageError(`${printable(wrong)} is not the name of a model`);
  if (models?.includes('*') && models.length > 1) throw new UsageError('--models takes "*", or names');
  const rateLimit = readLimit(args);
  const when = args.text('expires');
  const expires = when === undefined ? undefined : toExpiry(when, now);
  if (when !== undefined && expires === undefined) throw new UsageError(`--expires takes ${expiryForm}`);
  if (expires !== undefined && Date.parse(expires) <= now.getTime())
    throw new UsageError(`--expires is in the past: ${expires}`);
  return {
    ...(wantedScopes && { scopes: wantedScopes }),
    ...(models && { models: [...models] }),
    ...(rateLimit && { rateLimit }),
    ...(expires !== undefined && { expires }),
  };
}

function toScope(name: string): Scope {
  const scope = allScopes.find((it) => it === name);
  if (scope !== undefined) return scope;
  throw new UsageError(`${printable(name)} is not one of ${allScopes.join(', ')}${suggest(name, allScopes)}`);
}

function readLimit(args: Args): KeyEntry['rateLimit'] {
  const [max, rows, window] = [args.text('max'), args.text('rows'), args.text('window')];
  if (max === undefined) {
    if (window !== undefined) throw new UsageError('--window needs --max');
    if (rows !== undefined) throw new UsageError('--rows needs --max');
    return undefined;
  }
  if (!/^\d{1,7}$/.test(max) || Number(max) > 1_000_000)
    throw new UsageError('--max takes a whole number from 0 to 1000000');
  if (rows !== undefined && (!/^[1-9]\d{0,9}$/.test(rows) || Number(rows) > 1_000_000_000))
    throw new UsageError('--rows takes a whole number from 1 to 1000000000');
  if (window !== undefined && !windowPattern.test(window))
    throw new UsageError(`--window takes ${windowForm}`);
  const limit = { max: Number(max), window: window ?? defaultWindow };
  return rows === undefined ? limit : { ...limit, rows: Number(rows) };
}

function isSame(a: NonNullable<KeyEntry['rateLimit']>, b: KeyEntry['rateLimit']): boolean {
  if (b === undefined) return false;
  return a.max === b.max && a.rows === b.rows && a.window === (b.window ?? defaultWindow);
}
