import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/**
 * Replaces or creates a file atomically: a reader sees the old bytes or the new ones, and the new ones survive a power
 * cut. An existing file keeps its owner and mode; a new file gets `mode`.
 */
export async function replaceFile(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const before = await stat(path).catch(() => undefined);
  const draft = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  try {
    const file = await open(draft, 'wx', mode);
    try {
      await file.writeFile(bytes);
      if (before !== undefined) {
        await keepOwner(file, before);
        await file.chmod(before.mode & 0o777);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

/** Writes the entries of a folder to the disk: without it a rename may not survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** If root edits a file of the server's user, that user must still be able to read it. */
async function keepOwner(file: FileHandle, before: { readonly uid: number; readonly gid: number }) {
  const { uid, gid } = await file.stat();
  if (uid !== before.uid || gid !== before.gid) await file.chown(before.uid, before.gid);
}
