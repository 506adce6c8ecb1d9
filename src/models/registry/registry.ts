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

/** The outcome of one load: for the log, the metrics and `sardonyx check`. */
export interface LoadEvent {
  readonly model: string;
  readonly version: string;
  readonly outcome: VersionState;
  /** What a refused load has thrown: for the log, never for a client. */
  readonly error?: unknown;
}

export interface RegistryOptions {
  /** Throws `RefusedError` with a reason for clients. The text of any other error stays in the event. */
  readonly load: (path: string, model: string, version: string) => Promise<LoadedVersion>;
  /** The model of plain `/predict`. It goes before the alias `default`. */
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
   * Applies a listing, one version after the other; a call waits for the previous one. A broken version is refused and
   * affects no other version. A later call
   * - keeps loaded versions that are still listed: they are immutable, and a new version that has no order with them
   *   does not replace them;
   * - loads new versions, and retries refused ones;
   * - retires removed versions, after the new versions of the same model are loaded or refused. A model whose folder
   *   cannot be read is not removed;
   * - keeps the last good aliases if an `aliases.json` is broken.
   */
  apply(listing: Listing): Promise<void> {
    this.#applied = this.#applied.catch(() => undefined).then(() => this.#apply(listing));
    return this.#applied;
  }

  /** True until the first listing is applied as a whole: until then a lease throws `not_ready`. */
  get isStarting(): boolean {
    return this.#isStarting;
  }

  /** Grows with each change of a model, a version or an alias: a key for values derived from them. */
  get revision(): number {
    return this.#revision;
  }

  list(): readonly ModelState[] {
    return [...this.#models.values()];
  }

  /** By name or alias. Throws as `findModel` does. */
  find(name: string): ModelState {
    return findModel(this.#names, name);
  }

  /** The model of plain `/predict`. Throws as `findDefaultModel` does. */
  findDefault(): ModelState {
    return findDefaultModel(this.#names);
  }

  get names(): readonly string[] {
    return [...this.#models.keys()];
  }

  /** The model behind a name or an alias, even if no such model exists. */
  resolveName(name: string): string {
    return resolveModel(this.#names, name);
  }

  /** The model of plain `/predict`, even if no such model exists; undefined if there is no default. */
  get defaultName(): string | undefined {
    return defaultModelName(this.#names);
  }

  /** Whether plain `/predict` has a model, or may have one behind a broken `aliases.json`; it need not answer. */
  get hasDefault(): boolean {
    return hasDefaultModel(this.#names);
  }

  /** Lends the version that answers; the caller releases it. Throws as `find` and `chooseVersion` do. */
  lease(model: string | undefined, version?: string): LoadedVersion {
    const found = model === undefined ? this.findDefault() : this.find(model);
    return chooseVersion(found, version).lease();
  }

  /** Why the registry's own `aliases.json` is not in force. */
  get aliasProblem(): string | undefined {
    return this.#aliases.problem;
  }

  /** Retires every version, including those that still load, and ends runs in child processes. */
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
      // `close` ended this load: the version has no fault, so there is no event.
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
