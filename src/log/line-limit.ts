const burst = 20;
const intervalMs = 1_000;

/** The entries of kinds are never removed: kinds must come from a table in the code, never from the network. */
export class LineLimit {
  readonly #kinds = new Map<string, { left: number; since: number; unlogged: number }>();

  /** Returns the number of lines that were left out before this one, or undefined if this one is left out too. */
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
