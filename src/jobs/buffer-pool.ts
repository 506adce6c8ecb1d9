const minBytes = 2_097_152;
/** Larger buffers are rare, and are not kept. */
const maxBytes = 8_388_608;
/** Two chunks run at the same time, each with its rows and its results. */
const maxFree = 4;

export interface Buffers {
  /** A buffer of at least so many bytes, with any content. */
  take(bytes: number): Buffer;
  /** The buffer is not used any more. */
  give(buffer: Buffer): void;
}

/** Buffers that the garbage collector frees. */
export const freshBuffers: Buffers = {
  take: (bytes) => Buffer.allocUnsafeSlow(bytes),
  give: () => undefined,
};

/**
 * Buffers for one chunk after another. A buffer that lives as long as a chunk becomes old before it is garbage, and then
 * only a full collection of V8 frees it: 25 MB of them lay about.
 */
export class BufferPool implements Buffers {
  readonly #free: Buffer[] = [];

  take(bytes: number): Buffer {
    const at = this.#free.findIndex((it) => it.length >= bytes);
    const [found] = at < 0 ? [] : this.#free.splice(at, 1);
    return found ?? Buffer.allocUnsafeSlow(Math.max(bytes, minBytes));
  }

  give(buffer: Buffer): void {
    if (buffer.length <= maxBytes && this.#free.length < maxFree) this.#free.push(buffer);
  }
}
