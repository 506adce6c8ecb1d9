/** Text at the head of the queue that is no line of the log: it reports lost lines, or ends a line that was cut. */
interface Mark {
  readonly at: number;
  /** The lost lines that it reports. */
  readonly lost: number;
}

interface Chunk {
  readonly buffer: Buffer;
  /** What lies before `start` is written; what lies between `start` and `end` waits. */
  start: number;
  end: number;
  marks: Mark[];
}

const chunkBytes = 65_536;
/** More than a report of lost lines takes. */
const reportBytes = 1_024;
const newline = 0x0a;

/**
 * The lines of a log that wait to be written, in order and in at most `maxBytes` of memory. A line that finds no room
 * is lost. Lost lines are counted, and reported in their place by the line that `toReport` makes of their number.
 */
export class LineQueue {
  readonly #maxBytes: number;
  readonly #toReport: (lost: number) => string;
  readonly #chunks: Chunk[] = [];
  #bytes = 0;
  #lost = 0;
  /** Lost lines that no line in the queue reports. */
  #unreported = 0;
  #endsCut = false;

  constructor(maxBytes: number, toReport: (lost: number) => string) {
    this.#maxBytes = maxBytes;
    this.#toReport = toReport;
  }

  /** Lines that were lost so far. */
  get lost(): number {
    return this.#lost;
  }

  /** Memory that the queue holds. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes a line with its line break, or counts it as lost. */
  push(line: string): void {
    const length = Buffer.byteLength(line);
    if (this.#unreported > 0 && this.#hasRoom(length + reportBytes)) this.report();
    if (this.#unreported === 0 && this.#hasRoom(length + 1)) this.#append(line, length);
    else {
      this.#lost += 1;
      this.#unreported += 1;
    }
  }

  /** Reports lines that are lost and not reported yet, if there are any. */
  report(): void {
    const lost = this.#unreported;
    if (lost === 0 || !this.#hasRoom(reportBytes)) return;
    this.#unreported = 0;
    const line = this.#toReport(lost);
    if (line !== '') this.#append(line, Buffer.byteLength(line), { lost });
  }

  /** What is to be written next: whole lines in at most `longest` bytes, or one longer line. Undefined if none waits. */
  next(longest: number): Buffer | undefined {
    const chunk = this.#chunks[0];
    if (chunk === undefined || chunk.start === chunk.end) return undefined;
    const { buffer, start, end } = chunk;
    if (end - start <= longest) return buffer.subarray(start, end);
    const last = buffer.lastIndexOf(newline, start + longest - 1);
    return buffer.subarray(start, (last < start ? buffer.indexOf(newline, start) : last) + 1);
  }

  /** So many bytes of `next` are written. */
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

  /** Loses all that waits. A line that is written in part ends where it was cut. */
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
      // Not from the pool: a chunk is written from another thread, and lives long.
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
