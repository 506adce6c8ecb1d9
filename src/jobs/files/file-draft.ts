import type { FileHandle } from 'node:fs/promises';
import { mkdir, rm, statfs } from 'node:fs/promises';
import { syncFolder } from '../../files/replace-file.js';
import { nameOfKey } from '../queue/digests.js';
import type { ChunkSize, Job } from '../queue/job.js';
import { createJobId } from '../queue/job-id.js';
import type { JobDraft } from '../queue/job-store.js';
import { openRows } from './chunk-files.js';
import { acceptDraft, reserveKey } from './idempotency-keys.js';
import { type JobFolders, nameOfJob } from './job-folders.js';
import { writeRecord } from './job-record.js';

export interface DraftHost {
  readonly folders: JobFolders;
  readonly workerId: string;
  readonly minFreeBytes: number;
  readonly exists: (name: string) => Promise<boolean>;
  /** The earlier job of an idempotency key. */
  readonly read: (name: string) => Promise<Job>;
  readonly onAccepted: (name: string) => void;
}

/** The free space of the disk is asked for once in this many bytes. */
const checkFreeEvery = 33_554_432;

/** Thrown if the disk has less free space than the server is to leave. */
export class FewBytesError extends Error {
  readonly code = 'ENOSPC';
}

export async function openDraft(host: DraftHost): Promise<JobDraft> {
  const { folders } = host;
  const id = createJobId();
  // A draft whose worker is gone is removed.
  const draft = `${id}.${host.workerId}`;
  const folder = folders.draft(draft);
  await requireFree(host);
  await mkdir(folder, { mode: 0o700 });
  let rows: FileHandle | undefined;
  try {
    rows = await openRows(folder);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  const chunks: ChunkSize[] = [];
  let bytes = 0;
  const close = async (): Promise<void> => {
    const open = rows;
    rows = undefined;
    await open?.close();
  };
  const discard = async (): Promise<void> => {
    await close();
    await rm(folder, { recursive: true, force: true });
  };

  return {
    async add(lines, size) {
      if (Math.floor(bytes / checkFreeEvery) !== Math.floor((bytes + size.bytes) / checkFreeEvery))
        await requireFree(host);
      await rows?.writeFile(lines);
      bytes += size.bytes;
      chunks.push({ rows: size.rows, bytes: size.bytes });
    },
    async accept(spec, idempotency) {
      const name = nameOfJob(id, spec.owner);
      const key = idempotency && nameOfKey(spec.owner, idempotency.key);
      await rows?.sync();
      await close();
      const job = { ...spec, id, acceptedAt: Date.now(), chunks };
      await writeRecord(folder, key === undefined ? job : { ...job, key });
      const whole = { job: name, draft, digest: idempotency?.digest ?? '' };
      const earlier = key === undefined ? undefined : await reserveKey(folders, key, whole, host.exists);
      if (earlier !== undefined) {
        await discard();
        host.onAccepted(earlier);
        return await host.read(earlier);
      }
      if (key !== undefined) await syncFolder(folders.key());
      // Another request with the same key may have made a job of this draft.
      if (!(await acceptDraft(folders, whole)) && !(await host.exists(name)))
        throw new Error('the draft of a job is gone');
      host.onAccepted(name);
      return { ...job, state: 'queued', completedRows: 0, failedRows: 0 };
    },
    discard,
  };
}

async function requireFree({ folders, minFreeBytes }: DraftHost): Promise<void> {
  if (minFreeBytes === 0) return;
  const { bavail, bsize } = await statfs(folders.root);
  if (bavail * bsize < minFreeBytes) throw new FewBytesError('the disk has too little free space');
}
