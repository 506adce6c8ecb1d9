/** So many lines of one kind are logged at once; after that, one a second. */
const burst = 20;
const intervalMs = 1_000;

/**
 * Keeps a flood out of the log: of each kind of line a few at once, then one a second. There is an entry for each kind
 * for good, so kinds come from a table of ours and never from the network.
 */
export class LineLimit {
  readonly #kinds = new Map<string, { left: number; since: number; unlogged: number }>();

  /** How many lines of this kind before it were left out; undefined where this one is left out too. */
  take(kind: string, now = performance.now()): number | undefined {
    let entry = this.#kinds.get(kind);
    if (entry === undefined) {
      entry = { left: burst, since: now, unlogged: 0 };
      this.#kinds.set(kind, entry);
    }
    const regained = Math.floor((now - entry.since) / intervalMs);
    if (regained > 0) {
      entry.left = Math.min(burst, entry.left + regained);
      entry.since += regained * intervalMs;
    }
    if (entry.left === 0) {
      entry.unlogged += 1;
      return undefined;
    }
    const { unlogged } = entry;
    entry.left -= 1;
    entry.unlogged = 0;
    return unlogged;
  }
}
