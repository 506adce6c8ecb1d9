/** Batches that are answered at the same time without being stored. */
const maxBatches = 64;
/** Bytes of rows and results that a batch may always hold. */
const ownBytes = 1_048_576;
/** Bytes that all batches together may hold beyond their own. */
const sharedBytes = 134_217_728;

/** The memory for batches that are answered at once: their rows, and their results until the answer has been sent. */
export class BatchMemory {
  #batches = 0;
  #shared = 0;

  /** A batch's share, which is to be released. Undefined if there are too many batches. */
  open(): BatchShare | undefined {
    if (this.#batches >= maxBatches) return undefined;
    this.#batches += 1;
    return new BatchShare(
      (bytes) => {
        if (bytes > 0 && this.#shared + bytes > sharedBytes) return false;
        this.#shared += bytes;
        return true;
      },
      () => {
        this.#batches -= 1;
      },
    );
  }
}

class BatchShare {
  readonly #changeShared: (bytes: number) => boolean;
  readonly #leave: () => void;
  #bytes = 0;
  #shared = 0;
  #isReleased = false;

  constructor(changeShared: (bytes: number) => boolean, leave: () => void) {
    this.#changeShared = changeShared;
    this.#leave = leave;
  }

  /** Returns false if there is no memory for so many bytes more. */
  take(bytes: number): boolean {
    const shared = Math.max(0, this.#bytes + bytes - ownBytes);
    if (shared > this.#shared) {
      if (!this.#changeShared(shared - this.#shared)) return false;
      this.#shared = shared;
    }
    this.#bytes += bytes;
    return true;
  }

  /** Safe to call twice. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#changeShared(-this.#shared);
    this.#leave();
  }
}

export type { BatchShare };
