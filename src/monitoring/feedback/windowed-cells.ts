import type { Steps } from '../../time/slices.js';
import { ClosedCells } from './closed-cells.js';
import { createOpenClasses, hasOpenClasses } from './open-classes.js';
import {
  addCells,
  addVersions,
  type Cells,
  nameOf,
  type SumsByVersion,
  sumsOf,
  toVersionCells,
  type VersionCells,
} from './quality-cells.js';

/** The window moves on in steps of a 24th. */
export const slotsPerWindow = 24;

/** The number of the whole window that a step is in. Any last window is in two of them. */
export function epochOf(slot: number): number {
  return Math.floor(slot / slotsPerWindow);
}

export interface CellSlots {
  /** Adds the cells of one feedback. `now` is in seconds of a monotonic clock. */
  add(about: Omit<VersionCells, 'cells'>, cells: Cells, now: number): void;
  /** The sums of the last window, by version, of one model or of all. Take the steps of one call at a time. */
  sums(now: number, model?: string): Steps<readonly VersionCells[]>;
}

interface Slot {
  readonly number: number;
  readonly versions: SumsByVersion;
}

/** Sums of the last `windowSeconds` in memory. */
export function createWindowedCells(windowSeconds: number): CellSlots {
  const slotSeconds = windowSeconds / slotsPerWindow;
  const openClasses = createOpenClasses();
  const closed = new ClosedCells();
  let slots: Slot[] = [];
  const slotOf = (now: number): Slot => {
    const number = Math.floor(now / slotSeconds);
    slots = slots.filter((slot) => slot.number > number - slotsPerWindow);
    const last = slots.at(-1);
    if (last?.number === number) return last;
    const slot: Slot = { number, versions: new Map() };
    slots.push(slot);
    return slot;
  };
  return {
    add({ model, version, shape }, cells, now) {
      const { number, versions } = slotOf(now);
      const name = nameOf({ model, version });
      const own = hasOpenClasses(shape) ? openClasses.fold(name, cells, epochOf(number)) : cells;
      addCells(sumsOf(versions, { model, version, shape }), own);
    },
    *sums(now, model) {
      const current = slotOf(now);
      const past = slots.filter((slot) => slot !== current);
      // A feedback may come at each pause: it counts in all cells of this copy, or in none.
      const sums: SumsByVersion = new Map();
      for (const [name, it] of current.versions)
        if (model === undefined || it.model === model) sums.set(name, { ...it, cells: new Map(it.cells) });
      const lacking = closed.keepOnly(new Map(past.map(({ number }) => [number, 0])));
      for (const { number, versions } of past)
        if (lacking.has(number)) yield* closed.add(number, 0, versions.values());
      yield* addVersions(sums, closed.of(model));
      return yield* toVersionCells(sums);
    },
  };
}
