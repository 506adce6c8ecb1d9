import { lstat, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kernelNow } from '../../files/file-owner.js';
import { stateOfOwner } from './copy-name.js';
import type { Notify } from './notify.js';

/** A copy in use is touched each hour: see `PrivateCopy`. */
const maxUntouchedMs = 86_400_000;

/**
 * Removes the copies in the folder for temporary files whose process was killed. A copy whose
 * process cannot be asked for, since it runs in another container, is removed a day after it was last touched. Nothing
 * of another user is removed, and nothing of another name.
 */
export async function removeAbandonedCopies(notify?: Notify, now = kernelNow()): Promise<void> {
  const folder = tmpdir();
  // A folder that cannot be listed has its reason told where a copy is needed.
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
  if (copies.length > 0) notify?.('private copies of processes that were killed are removed', { copies });
  if (kept.length > 0) {
    notify?.('private copies of processes that were killed cannot be removed', { folder, copies: kept });
  }
}
