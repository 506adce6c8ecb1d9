import { realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf, RefusedError } from '../errors.js';
import { withLock } from '../files/file-lock.js';
import { replaceFile } from '../files/replace-file.js';
import { readContent } from '../files/watched-file.js';
import { type KeyEntry, parseKeyEntries } from './keys-file.js';

const patienceMs = 5_000;

/** The entries of a file of keys; none where there is no file. Throws `RefusedError` for one that is broken. */
export async function readKeyEntries(path: string): Promise<readonly KeyEntry[]> {
  const { bytes, isThere, problem } = { isThere: await exists(path), ...(await readContent(path)) };
  if (!isThere) return [];
  try {
    if (bytes === undefined) throw new RefusedError(problem);
    return parseKeyEntries(bytes);
  } catch (error) {
    throw new RefusedError(`${path} is left as it is: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * Changes a file of keys, one process after the other: what `edit` makes of the entries is checked, written beside the
 * file and renamed to it, so that whoever reads it sees it whole, before or after. It keeps its mode and owner; a new
 * one is for its owner alone. Throws `RefusedError` for a file that is broken, and where `edit` does; then nothing has
 * changed.
 */
export async function editKeys(
  path: string,
  edit: (entries: readonly KeyEntry[]) => readonly KeyEntry[],
): Promise<void> {
  // Where the name is a link, the file behind it is what is replaced.
  const target = await realpath(path).catch(() => path);
  const folder = dirname(target);
  if (!(await exists(folder)))
    throw new RefusedError(`the folder ${folder} is not there: make it, or name another file with --file`);
  await withLock(target, patienceMs, async () => {
    const entries = edit(await readKeyEntries(target));
    const bytes = Buffer.from(`${JSON.stringify(entries, null, 2)}\n`);
    parseKeyEntries(bytes);
    await replaceFile(target, bytes, 0o600);
  });
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
