const newline = 0x0a;

/** A line in bytes, without its end. `long`: it has more bytes than allowed, and is not kept. */
export type Line = Buffer | 'long';

/**
 * Splits a file into lines. A line beyond `maxBytes`, such as a block of zeros after a power cut, costs no memory and
 * no other line. Blank lines are left out.
 */
export class LineSplitter {
  readonly #maxBytes: number;
  /** The first part of a line whose end has not come yet. */
  #pieces: Buffer[] = [];
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  push(chunk: Buffer): readonly Line[] {
    const lines: Line[] = [];
    let start = 0;
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, start)) {
      this.#add(chunk.subarray(start, at));
      this.#take(lines);
      start = at + 1;
    }
    this.#add(chunk.subarray(start));
    return lines;
  }

  /** Returns the last line if it has no end. */
  end(): readonly Line[] {
    const lines: Line[] = [];
    this.#take(lines);
    return lines;
  }

  #add(piece: Buffer): void {
    this.#length += piece.length;
    if (this.#length > this.#maxBytes) this.#pieces = [];
    else if (piece.length > 0) this.#pieces.push(piece);
  }

  #take(lines: Line[]): void {
    if (this.#length > this.#maxBytes) lines.push('long');
    else if (this.#length > 0) {
      const line = this.#pieces.length === 1 ? (this.#pieces[0] as Buffer) : Buffer.concat(this.#pieces);
      if (!isBlank(line)) lines.push(line);
    }
    this.#pieces = [];
    this.#length = 0;
  }
}

function isBlank(line: Buffer): boolean {
  for (const byte of line) if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return false;
  return true;
}
