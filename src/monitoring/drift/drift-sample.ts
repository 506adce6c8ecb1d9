/** Rows of a time, drawn evenly from those that came: `rows` × columns numbers, row by row. */
export interface DriftSample {
  /** Rows that came, of which `rows` are kept. */
  readonly seen: number;
  readonly rows: number;
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly until: number;
  readonly values: Float64Array;
}

/**
 * At most `maxRows` rows of several samples, from each as many as its share of the rows that came. The order of rows in
 * a sample is random, except for the first rows of a sample that is not full.
 */
export function mergeSamples(samples: readonly DriftSample[], width: number, maxRows: number): DriftSample {
  const used = samples.filter(({ rows }) => rows > 0);
  const seen = used.reduce((sum, it) => sum + it.seen, 0);
  // The sample that has the least rows for its share decides how many rows all give.
  const scale = Math.min(maxRows / Math.max(1, seen), ...used.map((it) => it.rows / it.seen));
  const taken = used.map((it) => Math.min(it.rows, Math.round(it.seen * scale)));
  const rows = taken.reduce((sum, it) => sum + it, 0);
  const values = new Float64Array(rows * width);
  let at = 0;
  for (const [k, sample] of used.entries()) {
    for (let n = 0; n < (taken[k] as number); n += 1) {
      // Evenly over the places of the sample.
      const row = Math.floor((n * sample.rows) / (taken[k] as number));
      values.set(sample.values.subarray(row * width, (row + 1) * width), at * width);
      at += 1;
    }
  }
  return {
    seen,
    rows,
    since: Math.min(...used.map((it) => it.since)),
    until: Math.max(...used.map((it) => it.until)),
    values,
  };
}

/** For another process. */
export function packSample({ values, ...rest }: DriftSample): string {
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  return JSON.stringify({ ...rest, values: bytes.toString('base64') });
}

export function unpackSample(text: string): DriftSample {
  const { values, ...rest } = JSON.parse(text) as Omit<DriftSample, 'values'> & { readonly values: string };
  // A copy begins at a multiple of eight bytes, which a view needs.
  const bytes = Uint8Array.from(Buffer.from(values, 'base64'));
  return { ...rest, values: new Float64Array(bytes.buffer) };
}
