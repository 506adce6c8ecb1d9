import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { codeOf } from '../../errors.js';
import { syncFolder } from '../../files/replace-file.js';
import { refuseOtherRows } from '../queue/refusals.js';
import { ifThere, type JobFolders } from './job-folders.js';

/** A key whose job and draft are both gone for this long was left by a process that was killed while it removed the job. */
const maxRemovalMs = 5_000;
const retryMs = 20;

/** A submission that is whole: its draft has all rows and its record. */
export interface WholeDraft {
  readonly job: string;
  /** The name of its folder in `drafts/`. */
  readonly draft: string;
  readonly digest: string;
}

/**
 * Reserves an idempotency key for a whole draft. Returns the name of the earlier job that has the key, or undefined if
 * the key is now this job's. An earlier draft whose process was killed or frozen before it became a job becomes one
 * here: so one key never gives two jobs. Throws `idempotency_conflict` if the earlier job had another body.
 */
export async function reserveKey(
  folders: JobFolders,
  name: string,
  own: WholeDraft,
  exists: (job: string) => Promise<boolean>,
): Promise<string | undefined> {
  const path = folders.key(name);
  for (;;) {
    if (await create(path, `${own.job} ${own.draft} ${own.digest}\n`)) return undefined;
    const text = await ifThere(readFile(path, 'utf8'));
    const earlier = text === undefined ? undefined : readKey(text);
    if (earlier !== undefined) {
      if ((await exists(earlier.job)) || (await acceptDraft(folders, earlier))) {
        if (earlier.digest === own.digest) return earlier.job;
        throw refuseOtherRows();
      }
    }
    const stats = await ifThere(stat(path));
    if (text !== undefined && stats !== undefined && Date.now() - stats.mtimeMs > maxRemovalMs)
      await removeKey(folders, name, text);
    else await pause(retryMs);
  }
}

/** Makes a job of a whole draft. Returns false if there is no such draft, and no such job. */
export async function acceptDraft(
  folders: JobFolders,
  { job, draft }: Pick<WholeDraft, 'job' | 'draft'>,
): Promise<boolean> {
  const renamed = await ifThere(rename(folders.draft(draft), folders.open(job)).then(() => true));
  if (renamed) await syncFolder(folders.open());
  return renamed ?? false;
}

/** The draft that a key's file names; undefined for a file that is being written. */
export function readKey(text: string): WholeDraft | undefined {
  const [, job, draft, digest] = /^(\S+) (\S+) (\S+)\n$/.exec(text) ?? [];
  return job === undefined || draft === undefined || digest === undefined
    ? undefined
    : { job, draft, digest };
}

/** Removes a key that has this text. A file that another process has written meanwhile is put back. */
export async function removeKey(folders: JobFolders, name: string, text: string): Promise<void> {
  const path = folders.key(name);
  const moved = folders.key(`.${name}.${randomUUID()}`);
  if ((await ifThere(rename(path, moved).then(() => true))) === undefined) return;
  if ((await readFile(moved, 'utf8')) !== text) await link(moved, path).catch(() => undefined);
  await rm(moved, { force: true });
}

async function create(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}
