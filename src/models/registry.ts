import { messageOf, ServiceError } from '../errors.js';
import type { ListedModel, ListedVersion, Listing } from './directory.js';
import type { LoadedModel } from './loaded-model.js';
import { RefusedError } from './manifest.js';
import {
  chooseVersion,
  type ModelState,
  modelNotFound,
  newestVersion,
  type VersionState,
} from './routing.js';
import { orderVersions } from './version-order.js';

/** What happened to a version: for the log, the metrics and `sardonyx check`. */
export interface LoadEvent {
  readonly model: string;
  readonly version: string;
  readonly outcome: VersionState;
}

export interface RegistryOptions {
  /** Loads one version, or throws `RefusedError`. */
  readonly load: (path: string, model: string, version: string) => Promise<LoadedModel>;
  /** The model that plain `/predict` means, before any alias. */
  readonly defaultModel?: string | undefined;
  readonly onLoad?: (event: LoadEvent) => void;
}

/** Holds the loaded versions and lends them out. */
export class Registry {
  readonly #options: RegistryOptions;
  #models: ReadonlyMap<string, ModelState> = new Map();
  #aliases: Listing['aliases'] = { aliases: new Map() };

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  /** Loads what is listed, one version after the other. What is wrong with one is that one's state. */
  async apply(listing: Listing): Promise<void> {
    this.#aliases = listing.aliases;
    for (const listed of listing.models) {
      this.#setModel(
        listed,
        new Map(listed.versions.map(({ name }) => [name, { state: 'loading' as const }])),
        [],
      );
    }
    for (const listed of listing.models) await this.#loadModel(listed);
  }

  /** The models, by name. */
  list(): readonly ModelState[] {
    return [...this.#models.values()];
  }

  /** A model by its name or alias. Throws `model_not_found`, or `model_unavailable` for an alias of nothing. */
  find(name: string): ModelState {
    const found = this.#models.get(name);
    if (found !== undefined) return found;
    const target = this.#aliases.aliases.get(name);
    if (target === undefined) throw modelNotFound(name, [...this.#models.keys()]);
    return this.#aliased(name, target);
  }

  /**
   * The model that plain `/predict` means: the configured one, else the alias `default`, else the only one.
   * Throws `model_not_found` that lists them, or `model_unavailable` for an alias of nothing.
   */
  findDefault(): ModelState {
    const { defaultModel } = this.#options;
    if (defaultModel !== undefined) return this.find(defaultModel);
    const target = this.#aliases.aliases.get('default');
    if (target !== undefined) return this.#aliased('default', target);
    const [only] = this.#models.values();
    if (this.#models.size === 1 && only !== undefined) return only;
    const names = [...this.#models.keys()];
    throw new ServiceError('model_not_found', {
      detail:
        names.length === 0
          ? 'No model is loaded.'
          : `No model is the default. POST /models/{model}/predict with one of ${names.slice(0, 20).join(', ')}.`,
    });
  }

  /** Whether something says what plain `/predict` means; that it can answer is another matter. */
  get hasDefault(): boolean {
    return (
      this.#options.defaultModel !== undefined ||
      this.#aliases.aliases.has('default') ||
      this.#models.size === 1
    );
  }

  /** Lends the version that answers for a model; the caller releases it. Throws as `find` and `chooseVersion` do. */
  lease(model: string | undefined, version?: string): LoadedModel {
    const found = model === undefined ? this.findDefault() : this.find(model);
    return chooseVersion(found, version).lease();
  }

  /** Why the registry's own `aliases.json` is not in force. */
  get aliasProblem(): string | undefined {
    return this.#aliases.problem;
  }

  /** Retires every version. */
  close(): void {
    for (const { versions } of this.#models.values()) {
      for (const version of versions.values()) if (version.state === 'ready') version.loaded.retire();
    }
  }

  #aliased(alias: string, target: string): ModelState {
    const found = this.#models.get(target);
    if (found !== undefined) return found;
    throw new ServiceError('model_unavailable', {
      detail: `${alias} is an alias of ${target}, which is not there.`,
    });
  }

  async #loadModel(listed: ListedModel): Promise<void> {
    const { ascending, faults } = orderVersions(listed.versions.map(({ name }) => name));
    const versions = new Map(this.#models.get(listed.name)?.versions);
    for (const version of listed.versions) {
      const fault = faults.get(version.name);
      const outcome = fault === undefined ? await this.#load(listed.name, version) : refused(fault);
      versions.set(version.name, outcome);
      this.#setModel(listed, new Map(versions), ascending);
      this.#options.onLoad?.({ model: listed.name, version: version.name, outcome });
    }
  }

  async #load(model: string, version: ListedVersion): Promise<VersionState> {
    try {
      return { state: 'ready', loaded: await this.#options.load(version.path, model, version.name) };
    } catch (error) {
      if (error instanceof RefusedError) return refused(error.message);
      return refused(`could not be loaded: ${messageOf(error)}`);
    }
  }

  #setModel(
    listed: ListedModel,
    versions: ReadonlyMap<string, VersionState>,
    ascending: readonly string[],
  ): void {
    const latest = newestVersion(ascending, versions);
    const { aliases, problem } = listed.aliases;
    const state: ModelState = {
      name: listed.name,
      versions,
      aliases,
      ...(problem !== undefined && { aliasProblem: problem }),
      ...(latest !== undefined && { latest }),
    };
    this.#models = new Map(this.#models).set(listed.name, state);
  }
}

function refused(reason: string): VersionState {
  return { state: 'refused', reason };
}
