import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { acceptDraft, readKey, removeKey } from './idempotency-keys.js';
import { ifThere, type JobFolders, nameOfJob } from './job-folders.js';
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
    if (stats !== undefined && Date.now() - stats.mtimeMs >= keepMs) await removeJob(folders, presence, name);
  }
  for (const draft of await readdir(folders.drafts)) {
    const worker = draft.slice(draft.lastIndexOf('.') + 1);
    if (await presence.isGone(worker)) await settleDraft(folders, draft);
  }
  for (const id of await readdir(folders.worker())) {
    if (await presence.isGone(id)) await rm(folders.worker(id), { force: true });
  }
}

async function removeJob(folders: JobFolders, presence: WorkerPresence, name: string): Promise<void> {
  const record = await readRecord(folders.ended(name)).catch(() => undefined);
  // Renamed first: a job that is half removed is not found, and one process alone removes it.
  const gone = folders.draft(`${name}.${presence.id}`);
  if ((await ifThere(rename(folders.ended(name), gone).then(() => true))) === undefined) return;
  if (record?.key !== undefined) {
    const text = await ifThere(readFile(folders.key(record.key), 'utf8'));
    if (text !== undefined && readKey(text)?.job === name) await removeKey(folders, record.key, text);
  }
  await rm(gone, { recursive: true, force: true });
}

/** A draft whose key names it was whole: it becomes a job. Any other one is removed. */
async function settleDraft(folders: JobFolders, draft: string): Promise<void> {
  const record = await readRecord(folders.draft(draft)).catch(() => undefined);
  if (record?.key !== undefined) {
    const text = await ifThere(readFile(folders.key(record.key), 'utf8'));
    const job = nameOfJob(record.id, record.owner);
    if (text !== undefined && readKey(text)?.draft === draft) {
      await acceptDraft(folders, { job, draft });
      return;
    }
  }
  await rm(folders.draft(draft), { recursive: true, force: true });
}
