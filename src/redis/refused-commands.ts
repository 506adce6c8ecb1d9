/** So long after a question was refused no probe that goes well takes it back: the probe may not meet the reason. */
const rememberedMs = 60_000;

export interface RefusalWatcher {
  /** A command was refused: to a question, or to one of the probes that are made each second. */
  readonly onRefusal: (command: string) => void;
  /** All that are refused now, whenever there are others than before. */
  readonly onRefused: (commands: readonly string[]) => void;
}

/** The commands that Redis refuses while it is well: those that its user may not run, or that it does not have. */
export class RefusedCommands {
  readonly #now: () => number;
  readonly #watcher: RefusalWatcher;
  /** Until when each is remembered whatever a probe finds. */
  readonly #until = new Map<string, number>();

  constructor(now: () => number, watcher: RefusalWatcher) {
    this.#now = now;
    this.#watcher = watcher;
  }

  get names(): readonly string[] {
    return [...this.#until.keys()].sort();
  }

  /** A question was refused. */
  note(name: string): void {
    const isNew = !this.#until.has(name);
    this.#until.set(name, this.#now() + rememberedMs);
    this.#watcher.onRefusal(name);
    if (isNew) this.#watcher.onRefused(this.names);
  }

  /** A probe of all commands has found these. */
  replace(found: readonly string[]): void {
    const before = this.names.join();
    const now = this.#now();
    for (const [name, until] of this.#until) {
      if (until <= now && !found.includes(name)) this.#until.delete(name);
    }
    for (const name of found) if (!this.#until.has(name)) this.#until.set(name, now);
    for (const name of found) this.#watcher.onRefusal(name);
    if (this.names.join() !== before) this.#watcher.onRefused(this.names);
  }
}
