import { type Buffers, freshBuffers } from './buffer-pool.js';

const firstBytes = 65_536;
/** A UTF-16 unit takes up to three bytes in UTF-8. */
const maxUnitBytes = 3;

/** The results of a chunk in UTF-8, put together from texts. */
export class ChunkText {
  readonly #buffers: Buffers;
  #buffer: Buffer;
  #length = 0;

  constructor(buffers = freshBuffers) {
    this.#buffers = buffers;
    this.#buffer = buffers.take(firstBytes);
  }

  add(text: string): void {
    const most = this.#length + maxUnitBytes * text.length;
    if (most > this.#buffer.length) {
      const size = this.#length + Buffer.byteLength(text);
      if (size > this.#buffer.length) this.#grow(Math.max(size, 2 * this.#buffer.length));
    }
    this.#length += this.#buffer.write(text, this.#length);
  }

  /** Valid until `release`. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** The text is not used any more. */
  release(): void {
    this.#buffers.give(this.#buffer);
    this.#buffer = Buffer.alloc(0);
    this.#length = 0;
  }

  #grow(size: number): void {
    const larger = this.#buffers.take(size);
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffers.give(this.#buffer);
    this.#buffer = larger;
  }
}
