import { mkdir, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../../errors.js';
import { ifThere } from './job-folders.js';
import type { WorkerPresence } from './worker-presence.js';

/**
 * Claims a chunk, so that no other process runs it: false if a living process has it, undefined if the job's folder is
 * not there any more. A claim saves work and no more: two processes that ran the same chunk would write one result.
 */
export async function claimChunk(
  folder: string,
  chunk: number,
  presence: WorkerPresence,
): Promise<boolean | undefined> {
  const path = pathOf(folder, chunk);
  for (;;) {
    const created = await create(folder, path, presence.id);
    if (created !== 'taken') return created === 'created' ? true : undefined;
    const holder = await ifThere(readFile(path, 'utf8'));
    if (holder === presence.id) return true;
    // An empty file is being written now, or its process was killed while it did.
    if (holder !== undefined && holder !== '' && !(await presence.isGone(holder))) return false;
    if (holder === '' && !(await isStillEmpty(path))) return false;
    await rm(path, { force: true });
  }
}

export async function releaseChunk(folder: string, chunk: number): Promise<void> {
  await ifThere(unlink(pathOf(folder, chunk)));
}

async function create(folder: string, path: string, id: string): Promise<'created' | 'taken' | 'gone'> {
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      await writeFile(path, id, { flag: 'wx', mode: 0o600 });
      return 'created';
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return 'taken';
      if (codeOf(error) !== 'ENOENT') throw error;
    }
    const made = await mkdir(join(folder, 'claims'), { mode: 0o700 }).catch((error) => error);
    if (made instanceof Error && codeOf(made) !== 'EEXIST') {
      if (codeOf(made) === 'ENOENT') return 'gone';
      throw made;
    }
  }
  return 'gone';
}

async function isStillEmpty(path: string): Promise<boolean> {
  await new Promise((resolve) => setTimeout(resolve, 100));
  return (await ifThere(readFile(path, 'utf8'))) === '';
}

function pathOf(folder: string, chunk: number): string {
  return join(folder, 'claims', String(chunk));
}
