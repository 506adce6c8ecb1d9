import type { OutcomeShape } from '../outcome-shape.js';
import { type Damage, readShape } from './stored-feedback.js';

/** The shapes of versions: those that this process has, and which of them Redis has too. */
export class VersionShapes {
  readonly #own = new Map<string, { readonly shape: OutcomeShape; readonly text: string }>();
  readonly #sent = new Set<string>();
  /** The last text of each version that was read: with many classes it takes long. */
  readonly #read = new Map<string, { readonly shape: OutcomeShape; readonly text: string }>();
  readonly #onDamage: (what: Damage) => void;

  constructor(onDamage: (what: Damage) => void) {
    this.#onDamage = onDamage;
  }

  add(name: string, shape: OutcomeShape): void {
    if (this.#own.get(name)?.shape === shape) return;
    this.#own.set(name, { shape, text: JSON.stringify(shape) });
    this.#sent.delete(name);
  }

  isSent(name: string): boolean {
    return this.#sent.has(name);
  }

  textOf(name: string): string {
    return this.#own.get(name)?.text ?? '';
  }

  noteSent(names: Iterable<string>): void {
    for (const name of names) this.#sent.add(name);
  }

  /** Redis does not have these: they are sent again with the next prediction. */
  noteMissing(names: Iterable<string>): void {
    for (const name of names) this.#sent.delete(name);
  }

  /** The shape that Redis has, given its text, or else that of this process. Undefined if there is none. */
  read(name: string, text: string): OutcomeShape | undefined {
    const before = this.#read.get(name);
    const shape = before?.text === text ? before.shape : readShape(text);
    if (shape !== undefined) {
      if (shape !== before?.shape) this.#read.set(name, { shape, text });
      return shape;
    }
    if (text !== '') this.#onDamage('a shape of a version');
    this.noteMissing([name]);
    return this.#own.get(name)?.shape;
  }
}
