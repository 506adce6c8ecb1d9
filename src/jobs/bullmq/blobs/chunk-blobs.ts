import { DamagedJobError } from '../../queue/refusals.js';

/** Keeps the packed rows and results of chunks. What it returns is kept in Redis: the bytes, or where they are. */
export interface ChunkBlobs {
  /**
   * Keeps what `pack` has made. `used` is what the job has in Redis already. Undefined if there is no room. Throws errors
   * of the file system.
   */
  keep(job: string, name: string, packed: Buffer, used: number): Promise<Buffer | undefined>;
  /** The packed bytes. Throws `LostBlobError` if they are not there any more, or cannot be read by this process. */
  load(job: string, kept: Buffer): Promise<Buffer>;
  /** Forgets bytes that were not needed after all. */
  drop(job: string, kept: Buffer): Promise<void>;
  /** Makes what a draft has kept survive a power cut. */
  sync(job: string): Promise<void>;
  removeJob(job: string): Promise<void>;
  /** The jobs that have something outside Redis which has not changed for a while. */
  listIdle(idleMs: number): Promise<readonly string[]>;
}

/** Kept bytes are not there any more. */
export class LostBlobError extends DamagedJobError {
  override readonly name = 'LostBlobError';
}

/** The first byte of a name that Redis holds in place of packed bytes, which begin with marks of their own. */
export const fileMark = 0x66;
