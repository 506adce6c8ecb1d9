/** The death of a worker that has listened for this long starts a new count. */
export const longLifeMs = 10_000;
const firstPauseMs = 100;
const maxPauseMs = 10_000;

/** Milliseconds before the next process starts: 0 after the first death in a row, then doubling from 100 ms to 10 s. */
export function pauseAfter(deaths: number): number {
  return deaths < 2 ? 0 : Math.min(firstPauseMs * 2 ** (deaths - 2), maxPauseMs);
}
