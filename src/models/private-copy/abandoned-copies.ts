import { lstat, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kernelNow } from '../../files/file-owner.js';
import { stateOfOwner } from './copy-name.js';
import type { Notify } from './notify.js';

/** `PrivateCopy` touches a copy in use each hour. */
const maxUntouchedMs = 86_400_000;

/**
 * Removes the private copies of killed processes from the folder for temporary files. A process in another container
 * cannot be looked up; its copy is removed a day after it was last touched. Files of other users and files with other
 * names stay.
 */
export async function removeAbandonedCopies(notify?: Notify, now = kernelNow()): Promise<void> {
  const folder = tmpdir();
  // If the folder cannot be read, the load of a version that needs a copy reports the reason.
  const names = await readdir(folder).catch(() => []);
  const copies: string[] = [];
  const kept: string[] = [];
  for (const name of names) {
    const owner = stateOfOwner(name);
    if (owner === undefined || owner === 'alive') continue;
    const path = join(folder, name);
    const stats = await lstat(path).catch(() => undefined);
    if (stats === undefined || stats.uid !== process.geteuid?.()) continue;
    if (!stats.isDirectory() && !stats.isFile()) continue;
    if (owner === 'unknown' && now - stats.mtimeMs < maxUntouchedMs) continue;
    await rm(path, { recursive: true, force: true }).then(
      () => copies.push(name),
      () => kept.push(name),
    );
  }
  if (copies.length > 0)
    notify?.('removed private copies of models that killed processes left behind', { copies });
  if (kept.length > 0) {
    notify?.('cannot remove private copies of models that killed processes left behind', {
      folder,
      copies: kept,
    });
  }
}
