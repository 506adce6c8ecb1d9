import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../../../errors.js';
import { syncFolder } from '../../../files/replace-file.js';
import { isJobId } from '../../queue/job-id.js';
import { type ChunkBlobs, fileMark, LostBlobError } from './chunk-blobs.js';
import type { RedisBlobs } from './redis-blobs.js';

/**
 * Keeps the first bytes of a job in Redis, and the others in a folder that all servers share: a folder for each job, a
 * file for each chunk. A file gets its name in Redis only once it is complete and on the disk.
 */
export class FolderBlobs implements ChunkBlobs {
  readonly #root: string;
  readonly #redis: RedisBlobs;

  constructor(root: string, redis: RedisBlobs) {
    this.#root = root;
    this.#redis = redis;
  }

  async keep(job: string, name: string, packed: Buffer, used: number): Promise<Buffer> {
    const kept = await this.#redis.keep(job, name, packed, used);
    if (kept !== undefined) return kept;
    const folder = join(this.#root, job);
    const isNew = (await mkdir(folder, { recursive: true, mode: 0o700 })) !== undefined;
    // Two processes may run the same chunk: each writes a file of its own, and Redis names one of them.
    const file = `${name}.${randomUUID()}`;
    const handle = await open(join(folder, file), 'wx', 0o600);
    try {
      await handle.writeFile(packed);
      await handle.datasync();
    } catch (error) {
      await rm(join(folder, file), { force: true });
      throw error;
    } finally {
      await handle.close();
    }
    if (isNew) await syncFolder(this.#root);
    return Buffer.concat([Buffer.of(fileMark), Buffer.from(file)]);
  }

  async load(job: string, kept: Buffer): Promise<Buffer> {
    if (kept[0] !== fileMark) return await this.#redis.load(job, kept);
    try {
      return await readFile(this.#pathOf(job, kept));
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      throw new LostBlobError('a file of the job is not in JOBS_DIR', { cause: error });
    }
  }

  async drop(job: string, kept: Buffer): Promise<void> {
    if (kept[0] === fileMark) await rm(this.#pathOf(job, kept), { force: true });
  }

  async sync(job: string): Promise<void> {
    await syncFolder(join(this.#root, job)).catch((error: unknown) => {
      // All bytes of the job are in Redis.
      if (codeOf(error) !== 'ENOENT') throw error;
    });
  }

  async removeJob(job: string): Promise<void> {
    await rm(join(this.#root, job), { recursive: true, force: true });
  }

  async listIdle(idleMs: number): Promise<readonly string[]> {
    const idle: string[] = [];
    for (const name of await readdir(this.#root).catch(() => [])) {
      if (!isJobId(name)) continue;
      const stats = await stat(join(this.#root, name)).catch(() => undefined);
      if (stats !== undefined && Date.now() - stats.mtimeMs > idleMs) idle.push(name);
    }
    return idle;
  }

  /** The name comes from Redis, which others may write: it must not lead out of the folder. */
  #pathOf(job: string, kept: Buffer): string {
    const file = kept.toString('utf8', 1);
    if (!/^[\w.-]+$/.test(file) || file.startsWith('..') || !isJobId(job))
      throw new LostBlobError('the name of a file in Redis is damaged');
    return join(this.#root, job, file);
  }
}
