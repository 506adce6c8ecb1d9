/** Text in the queue that no logger wrote: a report of lost lines, or the line break after a line that was cut. */
interface Mark {
  readonly at: number;
  readonly lost: number;
}

interface Chunk {
  readonly buffer: Buffer;
  /** Bytes before `start` are written; bytes from `start` to `end` wait. */
  start: number;
  end: number;
  marks: Mark[];
}

const chunkBytes = 65_536;
const reportBytes = 1_024;
const newline = 0x0a;

/** Waiting log lines in at most `maxBytes`. A line without room is lost; `toReport` makes the line in its place. */
export class LineQueue {
  readonly #maxBytes: number;
  readonly #toReport: (lost: number) => string;
  readonly #chunks: Chunk[] = [];
  #bytes = 0;
  #lost = 0;
  /** Lost lines that no report in the queue covers. */
  #unreported = 0;
  #endsCut = false;

  constructor(maxBytes: number, toReport: (lost: number) => string) {
    this.#maxBytes = maxBytes;
    this.#toReport = toReport;
  }

  get lost(): number {
    return this.#lost;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** `line` ends with a line break. Without room for it, it counts as lost. */
  push(line: string): void {
    const length = Buffer.byteLength(line);
    if (this.#unreported > 0 && this.#hasRoom(length + reportBytes)) this.report();
    if (this.#unreported === 0 && this.#hasRoom(length + 1)) this.#append(line, length);
    else {
      this.#lost += 1;
      this.#unreported += 1;
    }
  }

  report(): void {
    const lost = this.#unreported;
    if (lost === 0 || !this.#hasRoom(reportBytes)) return;
    this.#unreported = 0;
    const line = this.#toReport(lost);
    if (line !== '') this.#append(line, Buffer.byteLength(line), { lost });
  }

  /** Returns the next bytes to write: whole lines of at most `maxBytes`, or one longer line. Undefined if none wait. */
  next(maxBytes: number): Buffer | undefined {
    const chunk = this.#chunks[0];
    if (chunk === undefined || chunk.start === chunk.end) return undefined;
    const { buffer, start, end } = chunk;
    if (end - start <= maxBytes) return buffer.subarray(start, end);
    const last = buffer.lastIndexOf(newline, start + maxBytes - 1);
    return buffer.subarray(start, (last < start ? buffer.indexOf(newline, start) : last) + 1);
  }

  /** Removes written bytes of `next`. */
  advance(bytes: number): void {
    const chunk = this.#chunks[0];
    if (chunk === undefined || bytes === 0) return;
    chunk.start += bytes;
    this.#endsCut = chunk.buffer[chunk.start - 1] !== newline;
    if (chunk.start < chunk.end) return;
    if (this.#chunks.length === 1 && chunk.buffer.length === chunkBytes) {
      Object.assign(chunk, { start: 0, end: 0, marks: [] });
      return;
    }
    this.#chunks.shift();
    this.#bytes -= chunk.buffer.length;
  }

  /** Drops and counts all waiting lines. A partly written line is ended by a line break. */
  lose(): void {
    const endsCut = this.#endsCut;
    for (const { buffer, start, end, marks } of this.#chunks) {
      const waiting = marks.filter(({ at }) => at >= start);
      const lines = countLines(buffer, start, end) - waiting.length;
      this.#lost += lines;
      this.#unreported += waiting.reduce((sum, { lost }) => sum + lost, lines);
    }
    this.#chunks.length = 0;
    this.#bytes = 0;
    if (endsCut) this.#append('\n', 1, { lost: 0 });
  }

  #hasRoom(bytes: number): boolean {
    const last = this.#chunks.at(-1);
    if (last !== undefined && last.buffer.length - last.end >= bytes) return true;
    return this.#bytes + Math.max(chunkBytes, bytes) <= this.#maxBytes;
  }

  #append(text: string, length: number, mark?: Pick<Mark, 'lost'>): void {
    let chunk = this.#chunks.at(-1);
    if (chunk === undefined || chunk.buffer.length - chunk.end < length) {
      // Not from Node's buffer pool: a chunk is written from another thread, and lives long.
      chunk = { buffer: Buffer.allocUnsafeSlow(Math.max(chunkBytes, length)), start: 0, end: 0, marks: [] };
      this.#chunks.push(chunk);
      this.#bytes += chunk.buffer.length;
    }
    if (mark !== undefined) chunk.marks.push({ at: chunk.end, ...mark });
    chunk.buffer.write(text, chunk.end);
    chunk.end += length;
  }
}

function countLines(buffer: Buffer, start: number, end: number): number {
  let lines = 0;
  for (let at = buffer.indexOf(newline, start); at >= 0 && at < end; at = buffer.indexOf(newline, at + 1)) {
    lines += 1;
  }
  return lines;
}
