import type { Case } from './cases.js';
import type { Hazard } from './hostile-feeds.js';

/** The outcome of one case. */
export interface Result {
  /** The types of the outputs, as the engine infers them. None if it refuses the graph. */
  gives: readonly string[];
  isSound: boolean;
  /** Why there is no sound run: the types have no kernel, or the recipe is wrong. */
  failure?: string;
  /** How children ended, by the hazard of the feed. */
  readonly deaths: Map<Hazard, string[]>;
  /** The inputs whose elements changed the shape of an output. */
  readonly sizes: Set<number>;
  readonly slowestMs: Map<Hazard, number>;
}

export const emptyResult = (): Result => ({
  gives: [],
  isSound: false,
  deaths: new Map(),
  sizes: new Set(),
  slowestMs: new Map(),
});

/** A death by these hazards concerns the whole operator; a death by others, its types and constants. */
const conditions: readonly Hazard[] = ['empty', 'rank', 'size'];
/** After this many groups of one operator died of a condition, all its groups count as dead of it. */
const minGroups = 3;

/** Results of the operator's other cases, so that a death is not repeated in each version: each death costs a child. */
export class Known {
  readonly #unregistered = new Set<string>();
  readonly #deaths = new Map<string, Set<Hazard>>();
  readonly #groups = new Map<string, Set<string>>();

  note(it: Case, { failure, deaths }: Result): void {
    // The engine's messages if it has no kernel for the types.
    if (failure?.includes('Could not find an implementation') || failure?.includes('Failed to find kernel')) {
      this.#unregistered.add(`${it.version.since} ${groupOf(it, false)}`);
    }
    for (const hazard of deaths.keys()) {
      const group = groupOf(it, true);
      this.#deaths.set(group, (this.#deaths.get(group) ?? new Set<Hazard>()).add(hazard));
      const all = `${nameOf(it)} ${hazard}`;
      this.#groups.set(all, (this.#groups.get(all) ?? new Set<string>()).add(group));
    }
  }

  isUnregistered(it: Case): boolean {
    return this.#unregistered.has(`${it.version.since} ${groupOf(it, false)}`);
  }

  /** The hazards that need not be tried: the case counts as dead of them. */
  hazardsOf(it: Case): Hazard[] {
    const found = [...(this.#deaths.get(groupOf(it, true)) ?? [])];
    const general = conditions.filter(
      (hazard) => (this.#groups.get(`${nameOf(it)} ${hazard}`)?.size ?? 0) >= minGroups,
    );
    return [...new Set([...found, ...general])];
  }
}

const nameOf = ({ recipe }: Case) => recipe.pattern ?? recipe.op;

/** The group of a case: one operator with equal types and constants. A death by elements counts for the whole group. */
export function groupOf(it: Case, withConstants: boolean): string {
  return `${nameOf(it)} ${it.types.join(' ')}${withConstants ? ` | ${it.constants}` : ''}`;
}
