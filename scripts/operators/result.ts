import type { Case } from './cases.js';
import type { Hazard } from './hostile-feeds.js';

/** What became of one case. */
export interface Result {
  /** The types of the outputs, as the engine infers them; none where it refuses the graph. */
  gives: readonly string[];
  isSound: boolean;
  /** Why there is no sound run: a type that is not registered, or a recipe that is wrong. */
  failure?: string;
  /** How children ended, by what was wrong with the inputs. */
  readonly deaths: Map<Hazard, string[]>;
  /** The inputs by whose elements the shape of an output changed. */
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

/** Deaths by these are a condition of the whole operator; by others, of its types and constants. */
const conditions: readonly Hazard[] = ['empty', 'rank', 'size'];
/** So many groups of one operator that die of a condition speak for all of them. */
const enoughGroups = 3;

/**
 * What is known of an operator from its other cases, so that a death is not tried again in each version and with each
 * attribute: every one costs a new child.
 */
export class Known {
  readonly #unregistered = new Set<string>();
  readonly #deaths = new Map<string, Set<Hazard>>();
  readonly #groups = new Map<string, Set<string>>();

  note(it: Case, { failure, deaths }: Result): void {
    // As the engine words it where it has no kernel for the types.
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

  /** The hazards of which a case need not be tried: it counts as dead of them. */
  hazardsOf(it: Case): Hazard[] {
    const found = [...(this.#deaths.get(groupOf(it, true)) ?? [])];
    const general = conditions.filter(
      (hazard) => (this.#groups.get(`${nameOf(it)} ${hazard}`)?.size ?? 0) >= enoughGroups,
    );
    return [...new Set([...found, ...general])];
  }
}

const nameOf = ({ recipe }: Case) => recipe.pattern ?? recipe.op;

/** Cases whose deaths by elements are taken for the same: of one operator, with the same types and constants. */
export function groupOf(it: Case, withConstants: boolean): string {
  return `${nameOf(it)} ${it.types.join(' ')}${withConstants ? ` | ${it.constants}` : ''}`;
}
