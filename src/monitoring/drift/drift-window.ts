import type { Answer, FeatureRow } from '../../models/tasks/task.js';
import { type DriftColumn, encodeValue } from './drift-column.js';
import { type DriftSample, extentOf, type PartCount, rowsAt, shareOfAll } from './drift-sample.js';
import { RowReservoir } from './row-reservoir.js';

/** Parts of the window. The oldest one leaves as a whole, so that the window has between 3/4 and all of its time. */
const partCount = 4;
/** A part keeps so much of the capacity, however small its share is: others may leave, and it cannot grow again. */
const leastShare = 1 / 8;

export interface WindowSize {
  readonly rows: number;
  readonly ms: number;
}

/**
 * The recent rows of a version. Each part of the time keeps an even sample of its rows, so that a burst does not push
 * out the rest of the day. The newest part may keep as many rows as all together; the others are thinned to their share
 * of the rows that came, one row for each that is kept. So the window keeps at most 2 1/4 times `size.rows`.
 */
export class DriftWindow {
  readonly columns: readonly DriftColumn[];
  readonly #size: WindowSize;
  readonly #parts: RowReservoir[] = [];
  #current: RowReservoir | undefined;

  constructor(columns: readonly DriftColumn[], size: WindowSize) {
    this.columns = columns;
    this.#size = size;
  }

  /** Most rows of a busy version are only counted. `now` is in milliseconds since 1970. */
  observe(row: FeatureRow, answer: Answer, now: number): void {
    let part = this.#current;
    if (part === undefined || now - part.since >= this.#size.ms / partCount) part = this.#open(now);
    const place = part.admit(now);
    if (place < 0) return;
    if (this.#parts.length > 1) this.#thin();
    this.#write(part.chunkOf(place), part.offsetOf(place), row, answer);
  }

  /** The parts of the window that have rows. */
  parts(now: number): readonly PartCount[] {
    this.#dropOld(now);
    return this.#parts.map(({ seen, kept, since, until }) => ({ seen, kept, since, until }));
  }

  /**
   * The values of the columns from `from` up to but without `to`, one column after the other, of a share of the rows
   * that came: see `shareOfAll`.
   */
  read(from: number, to: number, share: number): { readonly rows: number; readonly values: Float64Array } {
    const rows = this.#parts.reduce((sum, it) => sum + rowsAt(share, it), 0);
    const values = new Float64Array(rows * (to - from));
    this.#visit(share, (chunk, offset, at) => {
      for (let k = from; k < to; k += 1) values[(k - from) * rows + at] = chunk[offset + k] as number;
    });
    return { rows, values };
  }

  /** The rows of the window; undefined if there are none. */
  sample(now: number): DriftSample | undefined {
    const parts = this.parts(now);
    const extent = extentOf(parts, this.#size.rows);
    if (extent === undefined) return undefined;
    const width = this.columns.length;
    const values = new Float64Array(extent.rows * width);
    this.#visit(shareOfAll(parts, this.#size.rows), (chunk, offset, at) => {
      values.set(chunk.subarray(offset, offset + width), at * width);
    });
    return { ...extent, values };
  }

  /** Evenly over the places of each part: the order of its rows is random, except for the first ones. */
  #visit(share: number, take: (chunk: Float64Array, offset: number, at: number) => void): void {
    let at = 0;
    for (const part of this.#parts) {
      const rows = rowsAt(share, part);
      for (let n = 0; n < rows; n += 1) {
        const place = Math.floor((n * part.kept) / rows);
        take(part.chunkOf(place), part.offsetOf(place), at);
        at += 1;
      }
    }
  }

  #open(now: number): RowReservoir {
    this.#dropOld(now);
    const part = new RowReservoir(this.columns.length, this.#size.rows, now);
    this.#parts.push(part);
    if (this.#parts.length > partCount) this.#parts.shift();
    this.#current = part;
    return part;
  }

  #thin(): void {
    const { rows } = this.#size;
    let seen = 0;
    for (const part of this.#parts) seen += part.seen;
    for (const part of this.#parts)
      if (part !== this.#current && part.kept > Math.ceil(rows * Math.max(leastShare, part.seen / seen)))
        part.dropOne();
  }

  #dropOld(now: number): void {
    for (;;) {
      const [oldest] = this.#parts;
      if (oldest === undefined || now - oldest.until < this.#size.ms) return;
      this.#parts.shift();
      if (oldest === this.#current) this.#current = undefined;
    }
  }

  #write(chunk: Float64Array, offset: number, row: FeatureRow, answer: Answer): void {
    const { columns } = this;
    for (let k = 0; k < columns.length; k += 1) {
      const column = columns[k] as DriftColumn;
      const value = column.place === 'features' ? row[column.name] : readOutput(answer, column.name);
      chunk[offset + k] = encodeValue(column, value);
    }
  }
}

/** `prediction`, `probability`, or a member of the prediction of a regression with several columns. */
function readOutput({ value }: Answer, name: string): unknown {
  if (!('prediction' in value)) return undefined;
  const { prediction, probability } = value;
  if (typeof prediction === 'object') return prediction[name];
  if (name === 'probability') return probability;
  return name === 'prediction' ? prediction : undefined;
}
