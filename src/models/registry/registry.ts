import { type AliasFile, keepLastGood } from './aliases.js';
import { attemptLoad } from './attempt-load.js';
import { chooseVersion, type ModelState, type VersionState } from './choose-version.js';
import type { ListedModel, Listing } from './directory.js';
import type { LoadedVersion } from './loaded-version.js';
import { beginModel, settleModel, withVersion } from './model-state.js';
import {
  defaultModelName,
  findDefaultModel,
  findModel,
  hasDefaultModel,
  type ModelNames,
  resolveModel,
} from './resolve-model.js';
import { orderVersions } from './version-order.js';

/** What happened to a version: for the log, the metrics and `sardonyx check`. */
export interface LoadEvent {
  readonly model: string;
  readonly version: string;
  readonly outcome: VersionState;
  /** What was thrown, where it was refused: for the log, and not for a client's eyes. */
  readonly error?: unknown;
}

export interface RegistryOptions {
  /** Loads one version, or throws `RefusedError`. The words of any other error stay in the event. */
  readonly load: (path: string, model: string, version: string) => Promise<LoadedVersion>;
  /** The model that plain `/predict` means, before any alias. */
  readonly defaultModel?: string | undefined;
  readonly onLoad?: (event: LoadEvent) => void;
}

/** Holds the loaded versions and lends them out. */
export class Registry {
  readonly #options: RegistryOptions;
  #models: ReadonlyMap<string, ModelState> = new Map();
  #aliases: AliasFile = { aliases: new Map() };
  #revision = 0;
  #applied: Promise<void> = Promise.resolve();
  #isStarting = true;
  #isClosed = false;

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  /**
   * Makes the registry what is listed, one version after the other; a call waits for the one before it. What is
   * wrong with a version is its own state and nobody else's. Called again, it
   * - keeps what is loaded and still listed: a version is immutable, and one that answers is not given up because
   *   of a newcomer that has no order with it;
   * - loads what is new, and tries again what was refused;
   * - retires what is gone, but not before the new versions of the same model have been settled. A model whose
   *   folder cannot be read is not gone;
   * - keeps the last good aliases where an `aliases.json` is broken.
   *
   * Until the first listing is applied as a whole, nothing answers: see `isStarting`.
   */
  apply(listing: Listing): Promise<void> {
    this.#applied = this.#applied.catch(() => undefined).then(() => this.#apply(listing));
    return this.#applied;
  }

  /** Whether the first listing is still to be applied: until then a lease throws `not_ready`. */
  get isStarting(): boolean {
    return this.#isStarting;
  }

  /** Another number after each change of a model, a version or an alias, for what is made of them and kept. */
  get revision(): number {
    return this.#revision;
  }

  /** The models, by name. */
  list(): readonly ModelState[] {
    return [...this.#models.values()];
  }

  /** A model by its name or alias: see `findModel`. */
  find(name: string): ModelState {
    return findModel(this.#names, name);
  }

  /** The model that plain `/predict` means: see `findDefaultModel`. */
  findDefault(): ModelState {
    return findDefaultModel(this.#names);
  }

  /** The names of the models that are there. */
  get names(): readonly string[] {
    return [...this.#models.keys()];
  }

  /** The model behind a name or an alias, whether it is there or not. */
  resolveName(name: string): string {
    return resolveModel(this.#names, name);
  }

  /** The model that plain `/predict` means, whether it is there or not; undefined where nothing says it. */
  get defaultName(): string | undefined {
    return defaultModelName(this.#names);
  }

  /** Whether something says what plain `/predict` means, or may do so; that it can answer is another matter. */
  get hasDefault(): boolean {
    return hasDefaultModel(this.#names);
  }

  /** Lends the version that answers for a model; the caller releases it. Throws as `find` and `chooseVersion` do. */
  lease(model: string | undefined, version?: string): LoadedVersion {
    const found = model === undefined ? this.findDefault() : this.find(model);
    return chooseVersion(found, version).lease();
  }

  /** Why the registry's own `aliases.json` is not in force. */
  get aliasProblem(): string | undefined {
    return this.#aliases.problem;
  }

  /** Retires every version, those still being loaded included, and ends runs in child processes. */
  close(): void {
    this.#isClosed = true;
    for (const { versions } of this.#models.values()) {
      for (const version of versions.values()) if (version.state === 'ready') version.loaded.abandon();
    }
  }

  get #names(): ModelNames {
    return { models: this.#models, aliases: this.#aliases, defaultModel: this.#options.defaultModel };
  }

  async #apply(listing: Listing): Promise<void> {
    const isStart = this.#isStarting;
    const before = this.#models;
    if (before.size === 0) this.#aliases = listing.aliases;
    const listed = listing.models.filter(({ name, isReadable }) => isReadable || !before.has(name));
    for (const model of listed) this.#setModel(beginModel(model, before.get(model.name), isStart));
    for (const model of listed) {
      const sole = before.get(model.name)?.sole;
      await this.#loadModel(model, sole);
      if (this.#isClosed) return;
      if (!isStart) this.#settleModel(model, sole);
    }
    if (isStart) for (const model of listed) this.#settleModel(model);
    this.#isStarting = false;

    const all = this.#models;
    const names = listing.models.map(({ name }) => name).sort();
    this.#models = new Map(names.map((name) => [name, all.get(name) as ModelState]));
    this.#aliases = keepLastGood(this.#aliases, listing.aliases);
    this.#revision += 1;
    for (const [name, { versions }] of all) if (!this.#models.has(name)) retireAll(versions.values());
  }

  async #loadModel(listed: ListedModel, sole: string | undefined): Promise<void> {
    const { faults } = orderVersions(listed.versions.map(({ name }) => name));
    let model = this.#models.get(listed.name) as ModelState;
    for (const version of listed.versions) {
      if (model.versions.get(version.name)?.state === 'ready') continue;
      if (this.#isClosed) return;
      const fault = faults.get(version.name);
      const event =
        fault === undefined
          ? await attemptLoad(this.#options.load, model.name, version)
          : { model: model.name, version: version.name, outcome: refuse(fault) };
      model = withVersion(listed, model, version.name, event.outcome, sole);
      this.#setModel(model);
      // What ended its load is the close, and no fault of the version.
      if (this.#isClosed) return retireAll([event.outcome]);
      this.#options.onLoad?.(event);
    }
  }

  #settleModel(listed: ListedModel, sole?: string): void {
    const model = this.#models.get(listed.name) as ModelState;
    const settled = settleModel(listed, model.versions, model, sole);
    this.#setModel(settled);
    retireAll([...model.versions].filter(([name]) => !settled.versions.has(name)).map(([, state]) => state));
  }

  #setModel(model: ModelState): void {
    this.#models = new Map(this.#models).set(model.name, model);
    this.#revision += 1;
  }
}

function retireAll(states: Iterable<VersionState>): void {
  for (const state of states) if (state.state === 'ready') state.loaded.retire();
}

function refuse(reason: string): VersionState {
  return { state: 'refused', reason };
}
