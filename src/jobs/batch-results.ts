import { ServiceError } from '../errors.js';

/** Batches at the same time. Each holds two chunks of rows, and its results until its answer has been sent. */
const maxBatches = 64;
/** Bytes of the results of one batch. A model may answer a small row with megabytes. */
const maxBytes = 134_217_728;
/** With more bytes of results, a batch is large. */
const maxSmallBytes = 1_048_576;
/** Large batches at the same time. */
const maxLarge = 2;

/**
 * Bounds the memory of all batches of a server. Each may hold a megabyte of results. One that needs more waits until it
 * is one of two, and reads no further rows meanwhile.
 */
export class BatchLimits {
  #batches = 0;
  #large = 0;
  readonly #waiting = new Set<() => void>();

  /**
   * Begins a batch, whose `release` ends it. `deadline` is by `performance.now()`; `closed` is aborted once the client
   * has left. Throws `overloaded`.
   */
  open(deadline: number, closed: AbortSignal): BatchResults {
    if (this.#batches >= maxBatches) throw refuse(`The server is answering ${maxBatches} batches.`);
    this.#batches += 1;
    return new BatchResults({
      enterLarge: () => this.#enterLarge(deadline, closed),
      leaveLarge: () => this.#leaveLarge(),
      leave: () => {
        this.#batches -= 1;
      },
    });
  }

  async #enterLarge(deadline: number, closed: AbortSignal): Promise<void> {
    if (this.#large < maxLarge) {
      this.#large += 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const end = (settle: () => void): void => {
        clearTimeout(timer);
        closed.removeEventListener('abort', leave);
        this.#waiting.delete(begin);
        settle();
      };
      const begin = () => end(resolve);
      const leave = () => end(() => reject(new ServiceError('client_closed')));
      const late = () => end(() => reject(refuse('Other large batches were not answered in time.')));
      const timer = setTimeout(late, deadline - performance.now());
      closed.addEventListener('abort', leave);
      this.#waiting.add(begin);
    });
  }

  /** The batch that has waited longest takes the place. */
  #leaveLarge(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#large -= 1;
      return;
    }
    next();
  }
}

interface Places {
  readonly enterLarge: () => Promise<void>;
  readonly leaveLarge: () => void;
  readonly leave: () => void;
}

/** The results of one batch, as the bytes of their texts. */
export class BatchResults {
  readonly #places: Places;
  readonly #pieces: Buffer[] = [];
  #bytes = 0;
  #isLarge = false;
  #isReleased = false;

  constructor(places: Places) {
    this.#places = places;
  }

  get pieces(): readonly Buffer[] {
    return this.#pieces;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Adds the text of some rows. Throws `output_too_large`; `overloaded` if large batches have their places for too long. */
  async add(text: string): Promise<void> {
    // Bytes, since a text that was put together from parts took 5.7 times its length (Node 20.20).
    const piece = Buffer.from(text);
    this.#bytes += piece.length;
    if (this.#bytes > maxBytes) {
      const detail = `The results have more than ${maxBytes / 1_048_576} MiB: send the rows in several requests.`;
      throw new ServiceError('output_too_large', { detail });
    }
    this.#pieces.push(piece);
    if (this.#isLarge || this.#bytes <= maxSmallBytes) return;
    await this.#places.enterLarge();
    this.#isLarge = true;
  }

  /** Ends the batch: its answer has been sent, or never will be. Call it after the last `add`. Safe to call twice. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#pieces.length = 0;
    if (this.#isLarge) this.#places.leaveLarge();
    this.#places.leave();
  }
}

function refuse(detail: string): ServiceError {
  return new ServiceError('overloaded', { detail, retryAfterSeconds: 1 });
}
