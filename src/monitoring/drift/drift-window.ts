import type { Answer, FeatureRow } from '../../models/tasks/task.js';
import { type DriftColumn, encodeValue } from './drift-column.js';
import { type DriftSample, mergeSamples } from './drift-sample.js';

/** Parts of the window. The oldest one leaves as a whole, so that the window has between 3/4 and all of its time. */
const segmentCount = 4;

interface Segment {
  since: number;
  until: number;
  seen: number;
  kept: number;
  values: Float64Array;
}

export interface WindowSize {
  readonly rows: number;
  readonly ms: number;
}

/**
 * The recent rows of a version. Each part of the time keeps an even sample of its rows (J. S. Vitter, ACM Transactions
 * on Mathematical Software 11 (1985), algorithm R), so that a burst does not push out the rest of the day.
 */
export class DriftWindow {
  readonly columns: readonly DriftColumn[];
  readonly #size: WindowSize;
  readonly #capacity: number;
  readonly #segments: Segment[] = [];
  #current: Segment | undefined;

  constructor(columns: readonly DriftColumn[], size: WindowSize) {
    this.columns = columns;
    this.#size = size;
    this.#capacity = Math.ceil(size.rows / segmentCount);
  }

  /** Most rows of a busy version are only counted. `now` is in milliseconds since 1970. */
  observe(row: FeatureRow, answer: Answer, now: number): void {
    let segment = this.#current;
    if (segment === undefined || now - segment.since >= this.#size.ms / segmentCount)
      segment = this.#open(now);
    segment.seen += 1;
    segment.until = now;
    let place = segment.kept;
    if (place < this.#capacity) segment.kept += 1;
    else {
      place = Math.floor(Math.random() * segment.seen);
      if (place >= this.#capacity) return;
    }
    this.#write(segment, place, row, answer);
  }

  /** The rows of the window; undefined if there are none. */
  sample(now: number): DriftSample | undefined {
    this.#dropOld(now);
    const width = this.columns.length;
    const samples = this.#segments.map(({ kept, values, ...rest }) => ({
      ...rest,
      rows: kept,
      values: values.subarray(0, kept * width),
    }));
    const merged = mergeSamples(samples, width, this.#size.rows);
    return merged.rows === 0 ? undefined : merged;
  }

  #open(now: number): Segment {
    this.#dropOld(now);
    const values = new Float64Array(this.#capacity * this.columns.length);
    const segment = { since: now, until: now, seen: 0, kept: 0, values };
    this.#segments.push(segment);
    if (this.#segments.length > segmentCount) this.#segments.shift();
    this.#current = segment;
    return segment;
  }

  #dropOld(now: number): void {
    for (;;) {
      const [oldest] = this.#segments;
      if (oldest === undefined || now - oldest.until < this.#size.ms) return;
      this.#segments.shift();
      if (oldest === this.#current) this.#current = undefined;
    }
  }

  #write({ values }: Segment, place: number, row: FeatureRow, answer: Answer): void {
    const { columns } = this;
    let at = place * columns.length;
    for (let k = 0; k < columns.length; k += 1) {
      const column = columns[k] as DriftColumn;
      const value = column.place === 'features' ? row[column.name] : readOutput(answer, column.name);
      values[at] = encodeValue(column, value);
      at += 1;
    }
  }
}

/** `prediction`, `probability`, or a member of the prediction of a regression with several columns. */
function readOutput({ value }: Answer, name: string): unknown {
  if (!('prediction' in value)) return undefined;
  const { prediction, probability } = value;
  if (name === 'probability') return probability;
  if (typeof prediction === 'object') return prediction[name];
  return name === 'prediction' ? prediction : undefined;
}
