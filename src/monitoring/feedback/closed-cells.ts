import type { Steps } from '../../time/slices.js';
import { addVersions, type SumsByVersion, type VersionSums } from './quality-cells.js';

/** The sum of those parts of the window that no longer change. To add them all up takes long, to add one part does not. */
export class ClosedCells {
  /** The parts in the sum, with their sizes. */
  #parts = new Map<number, number>();
  #sums: SumsByVersion = new Map();

  /**
   * Begins a new sum if this one has a part too many, or a part that had another size. Returns which of the wanted parts
   * the sum lacks.
   */
  keepOnly(wanted: ReadonlyMap<number, number>): ReadonlySet<number> {
    const isSound = [...this.#parts].every(([number, size]) => wanted.get(number) === size);
    if (!isSound) {
      this.#parts = new Map();
      this.#sums = new Map();
    }
    return new Set([...wanted.keys()].filter((number) => !this.#parts.has(number)));
  }

  *add(number: number, size: number, versions: Iterable<VersionSums>): Steps<void> {
    this.#parts.set(number, size);
    yield* addVersions(this.#sums, versions);
  }

  /** Of one model, or of all. */
  of(model: string | undefined): readonly VersionSums[] {
    return [...this.#sums.values()].filter((it) => model === undefined || it.model === model);
  }
}
