/** What a part of the time has: `kept` rows, drawn evenly from `seen` ones. */
export interface PartCount {
  readonly seen: number;
  readonly kept: number;
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly until: number;
}

/** Rows of all parts together, from each as many as its share of the rows that came. */
export interface DriftExtent {
  /** Rows that came, of which `rows` are compared. */
  readonly seen: number;
  readonly rows: number;
  readonly since: number;
  readonly until: number;
}

/** `values`: `rows` × columns numbers, row by row. */
export interface DriftSample extends DriftExtent {
  readonly values: Float64Array;
}

/** The share of the rows that came that all parts can give, for at most `maxRows` in all. */
export function shareOfAll(parts: readonly PartCount[], maxRows: number): number {
  const seen = parts.reduce((sum, it) => sum + it.seen, 0);
  // The part that has the least rows for its share decides.
  return Math.min(maxRows / Math.max(1, seen), ...parts.map((it) => it.kept / it.seen));
}

/** The rows that a part gives of its kept ones. */
export function rowsAt(share: number, { seen, kept }: Pick<PartCount, 'seen' | 'kept'>): number {
  // A product such as 3 × (1 / 3) may be a little too small.
  return Math.min(kept, Math.floor(seen * share + 1e-6));
}

/** Undefined if there are no rows. */
export function extentOf(parts: readonly PartCount[], maxRows: number): DriftExtent | undefined {
  const share = shareOfAll(parts, maxRows);
  const rows = parts.reduce((sum, it) => sum + rowsAt(share, it), 0);
  if (rows === 0) return undefined;
  return {
    seen: parts.reduce((sum, it) => sum + it.seen, 0),
    rows,
    since: Math.min(...parts.map((it) => it.since)),
    until: Math.max(...parts.map((it) => it.until)),
  };
}
