import { type ChunkBlobs, LostBlobError, marks, pack, unpack } from './chunk-blobs.js';

/** Keeps bytes in Redis, up to a limit for each job. */
export class RedisBlobs implements ChunkBlobs {
  readonly #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  async keep(_job: string, _name: string, bytes: Buffer, used: number): Promise<Buffer | undefined> {
    const packed = await pack(bytes);
    return used + packed.length > this.#maxBytes ? undefined : packed;
  }

  async load(_job: string, kept: Buffer): Promise<Buffer> {
    if (kept[0] === marks.file) {
      throw new LostBlobError('the bytes are in a file: this server has no JOBS_DIR');
    }
    return await unpack(kept);
  }

  async drop(): Promise<void> {}
  async sync(): Promise<void> {}
  async removeJob(): Promise<void> {}

  async listIdle(): Promise<readonly string[]> {
    return [];
  }
}
