import { createOpenClasses, hasOpenClasses } from './open-classes.js';
import { addCells, type Cells, mergeCells, type VersionCells } from './quality-cells.js';

/** The window moves on in steps of a 24th. */
export const slotsPerWindow = 24;

/** The number of the whole window that a step is in. Any last window is in two of them. */
export function epochOf(slot: number): number {
  return Math.floor(slot / slotsPerWindow);
}

export interface CellSlots {
  /** Adds the cells of one feedback. `now` is in seconds of a monotonic clock. */
  add(about: Omit<VersionCells, 'cells'>, cells: Cells, now: number): void;
  /** The sums of the last window, by version. */
  sums(now: number): readonly VersionCells[];
}

interface Slot {
  readonly number: number;
  readonly versions: Map<string, VersionCells & { readonly cells: Record<string, number> }>;
}

/** Sums of the last `windowSeconds` in memory. */
export function createWindowedCells(windowSeconds: number): CellSlots {
  const slotSeconds = windowSeconds / slotsPerWindow;
  const openClasses = createOpenClasses();
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
      const name = `${model}/${version}`;
      const into = versions.get(name) ?? { model, version, shape, cells: {} };
      versions.set(name, into);
      addCells(into.cells, hasOpenClasses(shape) ? openClasses.fold(name, cells, epochOf(number)) : cells);
    },
    sums(now) {
      slotOf(now);
      return mergeCells(slots.map(({ versions }) => [...versions.values()]));
    },
  };
}
