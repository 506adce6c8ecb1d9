import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { DamagedJobError } from '../../queue/refusals.js';

const zip = promisify(gzip);
const unzip = promisify(gunzip);

/** Keeps the rows and the results of chunks. What it returns is kept in Redis: the bytes, or where they are. */
export interface ChunkBlobs {
  /**
   * Keeps bytes. `used` is what the job has in Redis already. Undefined if there is no room: see `roomAdvice`. Throws
   * errors of the file system.
   */
  keep(job: string, name: string, bytes: Buffer, used: number): Promise<Buffer | undefined>;
  /** Throws `LostBlobError` if the bytes are not there any more, or cannot be read by this process. */
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

/** The first byte of what Redis holds. */
export const marks = { plain: 0x70, gzip: 0x7a, file: 0x66 } as const;
const minZipBytes = 512;
/** The fastest level: JSON rows shrink to a fifth, and more would cost the time of their predictions. */
const level = 1;
/** A chunk has a megabyte of rows, or one row; its results are within some tens. Redis may hold anything. */
const maxUnpackedBytes = 536_870_912;

/** Bytes in the form in which Redis holds them. */
export async function pack(bytes: Buffer): Promise<Buffer> {
  if (bytes.length >= minZipBytes) {
    const packed = await zip(bytes, { level });
    if (packed.length < bytes.length) return Buffer.concat([Buffer.of(marks.gzip), packed]);
  }
  return Buffer.concat([Buffer.of(marks.plain), bytes]);
}

/** Throws `LostBlobError`. */
export async function unpack(kept: Buffer): Promise<Buffer> {
  if (kept[0] === marks.plain) return kept.subarray(1);
  if (kept[0] !== marks.gzip) throw new LostBlobError('the bytes in Redis are damaged');
  return await unzip(kept.subarray(1), { maxOutputLength: maxUnpackedBytes }).catch((cause: unknown) => {
    throw new LostBlobError('the bytes in Redis are damaged', { cause });
  });
}
