import { type ChunkBlobs, fileMark, LostBlobError } from './chunk-blobs.js';

/** Keeps bytes in Redis, up to a limit for each job. */
export class RedisBlobs implements ChunkBlobs {
  readonly #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  async keep(_job: string, _name: string, packed: Buffer, used: number): Promise<Buffer | undefined> {
    return used + packed.length > this.#maxBytes ? undefined : packed;
  }

  async load(_job: string, kept: Buffer): Promise<Buffer> {
    if (kept[0] === fileMark) {
      throw new LostBlobError('the bytes are in a file: this server has no JOBS_DIR');
    }
    return kept;
  }

  async drop(): Promise<void> {}
  async sync(): Promise<void> {}
  async removeJob(): Promise<void> {}

  async listIdle(): Promise<readonly string[]> {
    return [];
  }
}
