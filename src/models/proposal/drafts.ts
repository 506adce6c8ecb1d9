import { randomBytes } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive, kernelNow, machine } from '../../files/file-owner.js';

/** No process works longer on a draft, since a trial ends after MODEL_LOAD_TIMEOUT_MS. */
const maxWorkMs = 86_400_000;
/** `.1.4711.0a1b2c3d.0123456789ab`: version, process id, machine, random characters. */
const draftPattern = /^\..+\.(\d+)\.([0-9a-f]{8})\.[0-9a-f]{12}$/;

/** The name of a draft of `name`. A registry ignores names that begin with a dot. */
export function draftName(name: string): string {
  return `.${name}.${process.pid}.${machine()}.${randomBytes(6).toString('hex')}`;
}

/** Drafts whose process on this machine has ended, or that are older than a day; none if there is no folder. */
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
