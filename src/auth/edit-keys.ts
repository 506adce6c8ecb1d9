import { realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf, RefusedError } from '../errors.js';
import { withLock } from '../files/file-lock.js';
import { replaceFile } from '../files/replace-file.js';
import { readContent } from '../files/watched-file.js';
import { type KeyEntry, parseKeyEntries } from './keys-file.js';

const patienceMs = 5_000;

/** Returns no entries if there is no file. Throws `RefusedError` for a broken one. */
export async function readKeyEntries(path: string): Promise<readonly KeyEntry[]> {
  const { bytes, isThere, problem } = { isThere: await exists(path), ...(await readContent(path)) };
  if (!isThere) return [];
  try {
    if (bytes === undefined) throw new RefusedError(problem);
    return parseKeyEntries(bytes);
  } catch (error) {
    throw new RefusedError(`${path} was not changed: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * Edits a key file under a lock. The new entries are checked, written to a temporary file and renamed, so readers never
 * see a partial file. Mode and owner are kept; a new file is readable by its owner only. Throws `RefusedError` for a
 * broken file, or as `edit` does; the file is then unchanged.
 */
export async function editKeys(
  path: string,
  edit: (entries: readonly KeyEntry[]) => readonly KeyEntry[],
): Promise<void> {
  // For a symbolic link, the file behind it is replaced.
  const target = await realpath(path).catch(() => path);
  const folder = dirname(target);
  if (!(await exists(folder)))
    throw new RefusedError(
      `the folder ${folder} does not exist: create it, or name another file with --file`,
    );
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
