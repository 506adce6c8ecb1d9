/** So long after a question was refused no probe that goes well takes it back: the probe may not meet the reason. */
const rememberedMs = 60_000;

/** The commands that Redis refuses while it is well: those that its user may not run, or that it does not have. */
export class RefusedCommands {
  readonly #now: () => number;
  readonly #onChange: (names: readonly string[]) => void;
  /** Until when each is remembered whatever a probe finds. */
  readonly #until = new Map<string, number>();

  /** `onChange` gets all of them, each time that there are others than before. */
  constructor(now: () => number, onChange: (names: readonly string[]) => void) {
    this.#now = now;
    this.#onChange = onChange;
  }

  get names(): readonly string[] {
    return [...this.#until.keys()].sort();
  }

  /** A question was refused. */
  note(name: string): void {
    const isNew = !this.#until.has(name);
    this.#until.set(name, this.#now() + rememberedMs);
    if (isNew) this.#onChange(this.names);
  }

  /** A probe of all commands has found these. */
  replace(found: readonly string[]): void {
    const before = this.names.join();
    const now = this.#now();
    for (const [name, until] of this.#until) {
      if (until <= now && !found.includes(name)) this.#until.delete(name);
    }
    for (const name of found) if (!this.#until.has(name)) this.#until.set(name, now);
    if (this.names.join() !== before) this.#onChange(this.names);
  }
}
