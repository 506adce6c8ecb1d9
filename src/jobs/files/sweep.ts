import { readdir, rename, rm, stat } from 'node:fs/promises';
import { ifThere, type JobFolders } from './job-folders.js';
import { readRecord } from './job-record.js';
import type { WorkerPresence } from './worker-presence.js';

/** Removes ended jobs whose time is over, and what processes that are gone have left: drafts, and their own files. */
export async function removeExpired(
  folders: JobFolders,
  presence: WorkerPresence,
  keepMs: number,
): Promise<void> {
  for (const name of await readdir(folders.ended())) {
    const folder = folders.ended(name);
    // The last change of the folder is the removal of its rows and claims, when the job ended.
    const stats = await ifThere(stat(folder));
    if (stats === undefined || Date.now() - stats.mtimeMs < keepMs) continue;
    const record = await readRecord(folder).catch(() => undefined);
    if (record?.key !== undefined) await rm(folders.key(record.key), { force: true });
    // Renamed first: a job that is half removed is not found.
    const gone = folders.draft(`${name}.${presence.id}`);
    if ((await ifThere(rename(folder, gone).then(() => true))) !== undefined)
      await rm(gone, { recursive: true, force: true });
  }
  for (const name of await readdir(folders.drafts)) {
    const worker = name.slice(name.lastIndexOf('.') + 1);
    if (await presence.isGone(worker)) await rm(folders.draft(name), { recursive: true, force: true });
  }
  for (const id of await readdir(folders.worker())) {
    if (await presence.isGone(id)) await rm(folders.worker(id), { force: true });
  }
}
