import type { ServiceError } from '../../errors.js';
import type { ChunkSize } from './job.js';
import { toLine } from './spool.js';

export interface Chunk extends ChunkSize {
  readonly lines: Buffer;
}

/** A killed process costs the chunk that it ran, and a stored chunk costs some file operations. */
const maxChunkRows = 8_192;
const maxChunkBytes = 1_048_576;

/** Cuts rows into chunks. `maxRows` bounds the rows of a chunk if the results of a row are large. */
export class ChunkCutter {
  readonly #maxRows: number;
  #lines: Buffer[] = [];
  #bytes = 0;

  constructor(maxRows = maxChunkRows) {
    this.#maxRows = Math.min(maxRows, maxChunkRows);
  }

  /** Takes a row, and returns the chunk that it completes. */
  add(row: Buffer | ServiceError): Chunk | undefined {
    const line = toLine(row);
    this.#lines.push(line);
    this.#bytes += line.length;
    return this.#lines.length >= this.#maxRows || this.#bytes >= maxChunkBytes ? this.end() : undefined;
  }

  /** The rows that are left, as a chunk. */
  end(): Chunk | undefined {
    const rows = this.#lines.length;
    if (rows === 0) return undefined;
    const lines = Buffer.concat(this.#lines, this.#bytes);
    this.#lines = [];
    this.#bytes = 0;
    return { lines, rows, bytes: lines.length };
  }
}
