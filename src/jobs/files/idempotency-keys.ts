import { createHash } from 'node:crypto';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { codeOf, ServiceError } from '../../errors.js';
import type { Idempotency } from '../queue/job-store.js';
import { ifThere, type JobFolders } from './job-folders.js';

/** Between the reservation of a key and its job only a rename lies: later the submitter must have been killed. */
const maxAcceptMs = 5_000;
const retryMs = 20;

/** The file of an owner's key. The key itself may be long, or no name of a file. */
export function nameOfKey(owner: string, key: string): string {
  return createHash('sha256')
    .update(JSON.stringify([owner, key]))
    .digest('hex');
}

/**
 * Reserves an idempotency key for a job. Returns the name of the earlier job that has the key, or undefined if the key
 * is now this job's. Throws `idempotency_conflict` if the earlier job had another body.
 */
export async function reserveKey(
  folders: JobFolders,
  name: string,
  job: string,
  { digest }: Idempotency,
  exists: (job: string) => Promise<boolean>,
): Promise<string | undefined> {
  const path = folders.key(name);
  for (;;) {
    if (await create(path, `${job} ${digest}\n`)) return undefined;
    const [, earlier, earlierDigest] =
      /^(\S+) (\S+)\n$/.exec((await ifThere(readFile(path, 'utf8'))) ?? '') ?? [];
    if (earlier !== undefined && (await exists(earlier))) {
      if (earlierDigest === digest) return earlier;
      const detail = 'An earlier job has this idempotency-key and other rows: use a new key for other rows.';
      throw new ServiceError('idempotency_conflict', { detail });
    }
    // The other submission is about to be accepted, or was killed, or its job has expired.
    const stats = await ifThere(stat(path));
    if (stats !== undefined && Date.now() - stats.mtimeMs > maxAcceptMs) await rm(path, { force: true });
    else await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
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
