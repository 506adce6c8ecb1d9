import type { OutcomeShape } from './outcome-shape.js';
import type { Cells } from './quality-cells.js';

/** Classes of a version that declares none: those beyond count together as `otherClass`. */
export const maxOpenClasses = 1_000;
/** A class that was not predicted takes no more than half of the room: any client can name one. */
export const maxUnpredictedClasses = maxOpenClasses / 2;
export const otherClass = '(other)';

/** A cell that counts an open class. */
export interface OpenCell {
  readonly text: string;
  /** The cell is that of the class only if the class is known, or fewer than so many are. */
  readonly limit: number;
  /** The cell to count in otherwise. */
  readonly other: string;
}

/** Undefined for a cell that counts no class. Of one feedback, the cell `p` must come before `a` and `t`. */
export function readOpenCell(cell: string): OpenCell | undefined {
  if (cell === 'n') return undefined;
  const [kind] = cell;
  return {
    text: cell.slice(1),
    limit: kind === 'p' ? maxOpenClasses : maxUnpredictedClasses,
    other: `${kind}${JSON.stringify(otherClass)}`,
  };
}

export function hasOpenClasses(shape: OutcomeShape): boolean {
  return shape.kind === 'classes' && shape.classes === undefined;
}

export interface OpenClasses {
  /** Replaces the cells of classes beyond the limit. A hit stays a hit, so the accuracy is exact. */
  fold(version: string, cells: Cells, epoch: number): Cells;
}

/** Bounds the classes of each version in memory. They are forgotten with their epoch, a whole window. */
export function createOpenClasses(): OpenClasses {
  const versions = new Map<string, Set<string>>();
  let current = 0;
  return {
    fold(version, cells, epoch) {
      if (epoch !== current) versions.clear();
      current = epoch;
      const known = versions.get(version) ?? new Set();
      versions.set(version, known);
      const folded: Record<string, number> = {};
      for (const [cell, amount] of Object.entries(cells)) {
        const open = readOpenCell(cell);
        const isKept = open === undefined || known.has(open.text) || known.size < open.limit;
        if (open !== undefined && isKept) known.add(open.text);
        folded[isKept ? cell : open.other] = amount;
      }
      return folded;
    },
  };
}
