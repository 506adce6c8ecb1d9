/** A worker that has listened for this long died of something new. */
export const longLifeMs = 10_000;
const firstPauseMs = 100;
const maxPauseMs = 10_000;

/** Milliseconds before a worker is replaced: none after its first death, then a pause that doubles with each. */
export function pauseAfter(deaths: number): number {
  return deaths < 2 ? 0 : Math.min(firstPauseMs * 2 ** (deaths - 2), maxPauseMs);
}
