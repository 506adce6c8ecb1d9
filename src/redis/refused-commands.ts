/** A successful probe does not clear a refusal outside a probe for this long: the probe may not meet its cause. */
const rememberedMs = 60_000;

export interface RefusalWatcher {
  /** Called for each refusal, also in the probe of each second. */
  readonly onRefusal: (command: string) => void;
  /** Called with all refused commands whenever the list changes. */
  readonly onRefused: (commands: readonly string[]) => void;
}

/** Commands that Redis refuses while it is up: its user may not run them, or it does not have them. */
export class RefusedCommands {
  readonly #now: () => number;
  readonly #watcher: RefusalWatcher;
  readonly #until = new Map<string, number>();

  constructor(now: () => number, watcher: RefusalWatcher) {
    this.#now = now;
    this.#watcher = watcher;
  }

  get names(): readonly string[] {
    return [...this.#until.keys()].sort();
  }

  /** Records a refusal outside a probe. */
  note(name: string): void {
    const isNew = !this.#until.has(name);
    this.#until.set(name, this.#now() + rememberedMs);
    this.#watcher.onRefusal(name);
    if (isNew) this.#watcher.onRefused(this.names);
  }

  /** Takes the refusals that a probe of all commands has found. */
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
