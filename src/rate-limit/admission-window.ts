/** The least length of a ring: a power of two, as all lengths. */
export const minSlots = 4;

/** What a client was admitted to in the last window. */
export interface AdmissionWindow {
  /** The costs within the window: call `expire` before. */
  readonly used: number;
  /** Memory of the log. */
  readonly bytes: number;
  /** Drops admissions at `moment` or before. O(1) on average, since each admission is passed once. */
  expire(moment: number): void;
  /** `moment` is never before that of an earlier call, and `cost` is at least 1. */
  add(moment: number, cost: number): void;
  /** The moment of the admission that took the `count`-th place of those in use; 1 is the oldest place. */
  momentOf(count: number): number;
}

/** A longer ring with the items `from` to `end`: item k is at index k modulo the length. */
export function grow(ring: readonly number[], from: number, end: number, minSize: number): number[] {
  const length = 2 ** Math.ceil(Math.log2(minSize));
  const longer = new Array<number>(length).fill(0);
  for (let k = from; k < end; k += 1) longer[k & (length - 1)] = ring[k & (ring.length - 1)] as number;
  return longer;
}
