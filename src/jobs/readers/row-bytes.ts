import { type RowBounds, refuseLongRow } from './row-reader.js';

const firstCapacity = 1_024;

/** Gathers the bytes of one row, which may arrive in pieces of any size. A row that arrives whole is not copied. */
export class RowBytes {
  readonly #bounds: RowBounds;
  /** The row as it arrived, while it is one piece. */
  #whole: Buffer | undefined;
  /** Otherwise the pieces in one buffer, which doubles: thousands of small pieces cost no object each. */
  #buffer = Buffer.alloc(0);
  #length = 0;

  constructor(bounds: RowBounds) {
    this.#bounds = bounds;
  }

  get length(): number {
    return this.#length;
  }

  /** Throws `body_too_large` if a row has too many bytes. `row` is its index, for the error. */
  check(length: number, row: number): void {
    if (length > this.#bounds.maxRowBytes) throw refuseLongRow(row, this.#bounds);
  }

  /** `row` is the index of the row, for the error. Throws `body_too_large`. */
  add(piece: Buffer, row: number): void {
    const length = this.#length + piece.length;
    this.check(length, row);
    if (this.#length === 0) {
      this.#whole = piece;
    } else {
      this.#reserve(length);
      this.#whole?.copy(this.#buffer);
      this.#whole = undefined;
      piece.copy(this.#buffer, this.#length);
    }
    this.#length = length;
  }

  /** Returns the row, and begins the next one. */
  take(): Buffer {
    const row = this.#whole ?? this.#buffer.subarray(0, this.#length);
    this.#whole = undefined;
    this.#buffer = Buffer.alloc(0);
    this.#length = 0;
    return row;
  }

  #reserve(length: number): void {
    if (length <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(firstCapacity, 2 * length));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}
