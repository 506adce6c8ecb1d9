import { type Problem, ServiceError } from '../../errors.js';
import { describeValue, hideKeys } from '../../text/describe-value.js';
import { didYouMean, nearestNames } from '../../text/did-you-mean.js';
import type { Aliases } from './aliases.js';
import type { LoadedVersion } from './loaded-version.js';
import { explainUnavailable } from './unavailable.js';
import { newestName } from './version-order.js';

export type VersionState =
  | { readonly state: 'loading' }
  | { readonly state: 'ready'; readonly loaded: LoadedVersion }
  | { readonly state: 'refused'; readonly reason: string };

/** One model of the registry, as routing sees it. */
export interface ModelState {
  readonly name: string;
  readonly versions: ReadonlyMap<string, VersionState>;
  readonly aliases: Aliases;
  /** Why the model's `aliases.json` is not in force. */
  readonly aliasProblem?: string;
  /** No sound `aliases.json` was read so far, so the default version is unknown. */
  readonly areAliasesUnknown?: boolean;
  /** The newest ready version, by `newestVersion`. */
  readonly latest?: string;
  /** The default version if there is no `latest`: the only ready one, whatever its name. */
  readonly sole?: string;
  /** The registry loads for the first time: no model answers until all of it is loaded. */
  readonly isStarting?: boolean;
}

/** The newest ready version; a prerelease only if nothing else is ready. `ascending` is oldest first. */
export function newestVersion(
  ascending: readonly string[],
  versions: ReadonlyMap<string, VersionState>,
): string | undefined {
  return newestName(ascending.filter((name) => versions.get(name)?.state === 'ready'));
}

/**
 * The version that answers a request without a version: the one behind the alias `default`, else `latest`, else `sole`.
 * Undefined if there is none, or if a broken file leaves the aliases unknown.
 */
export function defaultVersion(model: ModelState): string | undefined {
  if (model.areAliasesUnknown) return undefined;
  return model.aliases.get('default') ?? model.latest ?? model.sole;
}

/**
 * Resolves a version's name, an alias, `latest` or nothing (the default) to a ready version. Pure.
 * Throws `version_not_found`, `not_ready` while the server starts, or `model_unavailable` if the version exists but
 * cannot answer: no other version takes its place.
 */
export function chooseVersion(model: ModelState, selector?: string): LoadedVersion {
  const { state } = findVersion(model, selector);
  if (state.state === 'ready' && !model.isStarting) return state.loaded;
  throw explainUnavailable(model, selector);
}

/** Resolves as `chooseVersion` does, to a version in any state. Pure. Throws the same errors if there is none. */
export function findVersion(
  model: ModelState,
  selector?: string,
): { readonly name: string; readonly state: VersionState } {
  const name = selector === undefined ? defaultVersion(model) : nameOf(model, selector);
  if (name === undefined) throw explainUnavailable(model, selector);
  const state = model.versions.get(name);
  if (state !== undefined) return { name, state };
  if (name === selector && !model.areAliasesUnknown) throw versionNotFound(model, selector);
  throw explainUnavailable(model, selector);
}

function nameOf(model: ModelState, selector: string): string | undefined {
  if (selector === 'latest') return model.latest;
  return model.aliases.get(selector) ?? selector;
}

function versionNotFound(model: ModelState, selector: string): ServiceError {
  const known = [...model.versions.keys(), ...model.aliases.keys(), 'latest'];
  return new ServiceError('version_not_found', {
    detail: `${describeValue(hideKeys(selector))} is none of the versions of ${model.name}: ${listSome(known)}.`,
    problems: suggest(selector, known, '/version'),
  });
}

export function modelNotFound(name: string, known: readonly string[]): ServiceError {
  return new ServiceError('model_not_found', {
    detail:
      known.length === 0
        ? 'The server has no model.'
        : `${describeValue(hideKeys(name))} is none of the models: ${listSome(known)}.`,
    problems: suggest(name, known, '/model'),
  });
}

function suggest(name: string, known: readonly string[], pointer: string): readonly Problem[] {
  const nearest = nearestNames(name, known, 3);
  return nearest.length === 0 ? [] : [{ pointer, message: `is not there${didYouMean(nearest)}` }];
}

/** The first 20 names. */
export function listSome(names: readonly string[]): string {
  return `${names.slice(0, 20).join(', ')}${names.length > 20 ? ', …' : ''}`;
}
