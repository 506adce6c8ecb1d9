import type { Steps } from '../../../time/slices.js';
import type { OutcomeShape } from '../outcome-shape.js';
import { nameOf, type SumsByVersion, sumsOf, type VersionCells, type VersionSums } from '../quality-cells.js';
import { type Damage, readJson } from './stored-feedback.js';

export function writeSumField(
  { model, version }: Pick<VersionCells, 'model' | 'version'>,
  cell: string,
): string {
  return JSON.stringify([model, version, cell]);
}

/** The limit of a sum that `recordScript` adds to. */
const maxSum = 1e250;
const fieldsAStep = 64;

interface SumField extends Omit<VersionCells, 'cells' | 'shape'> {
  readonly name: string;
  readonly cell: string;
  readonly shape: OutcomeShape | undefined;
}

export interface StoredSlot {
  readonly versions: readonly VersionSums[];
  /** Whether every sum belongs to a version. */
  readonly isWhole: boolean;
}

/** Reads the sums of one slot after the other. Most fields are in many slots: it parses each once. */
export class SlotReader {
  readonly #fields = new Map<string, SumField | undefined>();
  readonly #shapeOf: (name: string) => OutcomeShape | undefined;
  readonly #onDamage: (what: Damage) => void;

  /** A version whose shape `shapeOf` does not know is left out. */
  constructor(shapeOf: (name: string) => OutcomeShape | undefined, onDamage: (what: Damage) => void) {
    this.#shapeOf = shapeOf;
    this.#onDamage = onDamage;
  }

  /**
   * The sums of one model, or of all; `fields` is a flat list of fields and values. With a sum that cannot be read, a
   * version loses the slot: the others would not belong together.
   */
  *read(fields: readonly unknown[], model?: string): Steps<StoredSlot> {
    const begin = model === undefined ? '' : `${JSON.stringify([model]).slice(0, -1)},`;
    const all: SumsByVersion = new Map();
    const damaged = new Set<string>();
    let isWhole = true;
    for (let k = 0; k < fields.length; k += 2) {
      if ((k / 2) % fieldsAStep === fieldsAStep - 1) yield;
      const about = String(fields[k]);
      if (!about.startsWith(begin)) continue;
      const field = this.#fieldOf(about);
      const text = String(fields[k + 1]);
      const sum = Number(text);
      const isSum = text.trim() !== '' && Math.abs(sum) <= maxSum;
      if (field === undefined || !isSum) this.#onDamage('a sum');
      if (field?.shape === undefined || !isSum) isWhole = false;
      if (field === undefined) continue;
      const { model: of, version, name, cell, shape } = field;
      if (!isSum) damaged.add(name);
      if (shape === undefined) continue;
      sumsOf(all, { model: of, version, shape }).set(cell, sum);
    }
    return { versions: [...all].flatMap(([name, it]) => (damaged.has(name) ? [] : [it])), isWhole };
  }

  #fieldOf(text: string): SumField | undefined {
    if (!this.#fields.has(text)) this.#fields.set(text, readSumField(text, this.#shapeOf));
    return this.#fields.get(text);
  }
}

function readSumField(
  text: string,
  shapeOf: (name: string) => OutcomeShape | undefined,
): SumField | undefined {
  const field = readJson(text);
  if (!Array.isArray(field) || field.length !== 3 || !field.every((it) => typeof it === 'string'))
    return undefined;
  const [model, version, cell] = field as [string, string, string];
  const name = nameOf({ model, version });
  return { model, version, name, cell, shape: shapeOf(name) };
}
