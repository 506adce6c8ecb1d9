import { isNumeric, type Reference } from '../../models/examples/reference.js';
import type { Feature } from '../../models/manifest/manifest.js';
import type { LoadedVersion } from '../../models/registry/loaded-version.js';
import type { Answer } from '../../models/tasks/task.js';
import { ColumnProfile } from './column-profile.js';

const seed = 20_261_128;

/** Collects what rows and the answers to them look like. The same rows give the same reference. */
export class ReferenceBuilder {
  readonly #features: readonly Feature[];
  readonly #columns: ReadonlyMap<string, ColumnProfile>;
  readonly #outputs = new Map<string, ColumnProfile>();
  readonly #isClassification: boolean;
  readonly #random = createRandom(seed);
  #rows = 0;

  constructor({ manifest }: LoadedVersion) {
    this.#features = manifest.features ?? [];
    this.#isClassification = manifest.task === 'classification';
    this.#columns = new Map(
      this.#features.map((feature) => [feature.name, new ColumnProfile(isNumeric(feature), this.#random)]),
    );
  }

  /** A row that the model has answered. */
  add(row: Readonly<Record<string, unknown>>, { value }: Answer): void {
    this.#rows += 1;
    for (const { name, default: absent } of this.#features)
      this.#columns.get(name)?.add(row[name] === undefined ? absent : row[name]);
    if (!('prediction' in value)) return;
    const { prediction, probability } = value;
    if (typeof prediction === 'object') {
      for (const [name, number] of Object.entries(prediction)) this.#outputOf(name, true).add(number);
      return;
    }
    this.#outputOf('prediction', !this.#isClassification).add(prediction);
    if (probability !== undefined) this.#outputOf('probability', true).add(probability);
  }

  finish(): Reference {
    const finish = (columns: ReadonlyMap<string, ColumnProfile>) =>
      Object.fromEntries([...columns].map(([name, column]) => [name, column.finish()]));
    return { rows: this.#rows, features: finish(this.#columns), output: finish(this.#outputs) };
  }

  #outputOf(name: string, isNumber: boolean): ColumnProfile {
    const known = this.#outputs.get(name);
    if (known !== undefined) return known;
    const created = new ColumnProfile(isNumber, this.#random);
    this.#outputs.set(name, created);
    return created;
  }
}

/** Numbers from 0 to 1, the same for each seed: a linear congruential generator modulo 2^32 (Numerical Recipes). */
function createRandom(start: number): () => number {
  let state = start;
  return () => {
    state = (Math.imul(1_664_525, state) + 1_013_904_223) >>> 0;
    return state / 4_294_967_296;
  };
}
