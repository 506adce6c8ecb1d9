import { editKeys } from '../../auth/edit-keys.js';
import type { KeyEntry } from '../../auth/keys-file.js';
import { RefusedError } from '../../errors.js';
import { suggest, UsageError } from '../terminal/command.js';
import { printable } from '../terminal/terminal-text.js';
import type { KeysRequest } from './keys.js';
import { describeEnd, toPrefix } from './list.js';

/** Removes keys of a client from the file. A server that watches the file rejects them within about a second. */
export async function revokeKeys({ path, args, context, now }: KeysRequest, id: string): Promise<number> {
  const prefix = args.text('sha256');
  const isAll = args.flag('all');
  if (isAll && prefix !== undefined) throw new UsageError('--all or --sha256, not both');
  if (prefix !== undefined && !/^[0-9a-f]{4,64}$/.test(prefix))
    throw new UsageError('--sha256 takes 4 to 64 hexadecimal digits in lower case');
  let revoked: readonly KeyEntry[] = [];
  let left = 0;
  await editKeys(path, (entries) => {
    const own = entries.filter((it) => it.id === id);
    if (own.length === 0) {
      const ids = [...new Set(entries.map((it) => it.id))];
      throw new RefusedError(`${id} has no key in ${path}${suggest(id, ids)}`);
    }
    revoked = isAll ? own : own.filter(({ sha256 }) => sha256.startsWith(prefix ?? ''));
    if (revoked.length !== 1 && !isAll) {
      const those = own.map((it) => `${toPrefix(it)} (expires ${describeEnd(it, now)})`).join(', ');
      throw new RefusedError(
        revoked.length === 0
          ? `${id} has no key whose digest begins with ${prefix}; its keys: ${those}`
          : `${id} has ${own.length} keys: ${those}; choose one with --sha256 PREFIX, or all with --all`,
      );
    }
    left = own.length - revoked.length;
    return entries.filter((it) => !revoked.includes(it));
  });
  const what = revoked.map(toPrefix).join(', ');
  const rest = left === 0 ? 'no key' : `${left} key${left === 1 ? '' : 's'}`;
  context.stderr.write(`revoked ${what}; ${id} now has ${rest} in ${printable(path)}\n`);
  return 0;
}
