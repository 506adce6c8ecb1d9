import { randomBytes } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive, kernelNow, machine } from '../../files/file-owner.js';

/** So old is no draft whose process is still at work: a trial ends with MODEL_LOAD_TIMEOUT_MS. */
const maxWorkMs = 86_400_000;
/** `.1.4711.0a1b2c3d.0123456789ab`: a name, the process that writes it, the machine of that process, chance. */
const draftPattern = /^\..+\.(\d+)\.([0-9a-f]{8})\.[0-9a-f]{12}$/;

/** The name of a draft of something that is to be called `name`: a registry passes over what begins with a dot. */
export function draftName(name: string): string {
  return `.${name}.${process.pid}.${machine()}.${randomBytes(6).toString('hex')}`;
}

/**
 * The drafts in a model's folder that nobody works on any more: their process on this machine has ended, or they are
 * older than a day. A folder that is not there has none.
 */
export async function findAbandonedDrafts(folder: string, now = kernelNow()): Promise<readonly string[]> {
  const names = await readdir(folder).catch(() => []);
  const abandoned: string[] = [];
  for (const name of names) {
    const [, pid, host] = draftPattern.exec(name) ?? [];
    if (pid === undefined) continue;
    const isOver = host === machine() && !isAlive(Number(pid));
    const stats = await stat(join(folder, name)).catch(() => undefined);
    if (isOver || (stats !== undefined && now - stats.mtimeMs > maxWorkMs)) abandoned.push(name);
  }
  return abandoned;
}

export async function removeAbandonedDrafts(folder: string): Promise<void> {
  for (const name of await findAbandonedDrafts(folder)) {
    await rm(join(folder, name), { recursive: true, force: true });
  }
}
