import { type AliasFile, keepLastGood } from './aliases.js';
import { type ModelState, newestVersion, type VersionState } from './choose-version.js';
import type { ListedModel } from './directory.js';
import { orderVersions } from './version-order.js';

type VersionStates = ReadonlyMap<string, VersionState>;

/** A listing about to be applied, for the first time or to `before`: what is ready stays so, and the rest is loading. */
export function beginModel(listed: ListedModel, before?: ModelState, isStarting = false): ModelState {
  const versions = new Map<string, VersionState>();
  for (const { name } of listed.versions) versions.set(name, { state: 'loading' });
  for (const [name, state] of before?.versions ?? []) if (state.state === 'ready') versions.set(name, state);
  // Aliases may already name what is still to be loaded: those in force stay until it is.
  const { problem } = listed.aliases;
  const aliases =
    before === undefined ? listed.aliases : { ...aliasesOf(before), ...(problem && { problem }) };
  return toModelState(listed, versions, aliases, before?.sole, isStarting);
}

/**
 * A listing applied, and its versions as they turned out. What is gone is left out. `sole` is the version that alone
 * answered before this listing.
 */
export function settleModel(
  listed: ListedModel,
  versions: VersionStates,
  before?: ModelState,
  sole?: string,
): ModelState {
  const kept = listed.versions.flatMap(({ name }) => {
    const state = versions.get(name);
    return state === undefined ? [] : [[name, state] as const];
  });
  return toModelState(listed, new Map(kept), keepLastGood(before && aliasesOf(before), listed.aliases), sole);
}

/** The model with one version's new state; `sole` as for `settleModel`. */
export function withVersion(
  listed: ListedModel,
  model: ModelState,
  name: string,
  state: VersionState,
  sole?: string,
): ModelState {
  const { aliasProblem: problem } = model;
  const versions = new Map(model.versions).set(name, state);
  const aliases = { ...aliasesOf(model), ...(problem && { problem }) };
  return toModelState(listed, versions, aliases, sole, model.isStarting);
}

function aliasesOf({ aliases, areAliasesUnknown: isUnknown }: ModelState): AliasFile {
  return { aliases, ...(isUnknown && { isUnknown }) };
}

function toModelState(
  { name, versions: listed }: ListedModel,
  versions: VersionStates,
  { aliases, problem, isUnknown }: AliasFile,
  before: string | undefined,
  isStarting = false,
): ModelState {
  const names = new Set(listed.map((version) => version.name));
  const ready = [...versions].filter(([, { state }]) => state === 'ready').map(([version]) => version);
  // What is gone has no order with what came in its place: it is the newest only while there is nothing else.
  const listedReady = ready.filter((version) => names.has(version));
  // While the server starts, a newer one may be loading.
  const latest = isStarting ? undefined : (newestOf(listedReady) ?? newestOf(ready));
  const sole = isStarting || latest !== undefined ? undefined : (soleOf(listedReady) ?? soleOf(ready));
  return {
    name,
    versions,
    aliases,
    ...(problem !== undefined && { aliasProblem: problem }),
    ...(isUnknown && { areAliasesUnknown: true }),
    ...(latest !== undefined && { latest }),
    ...(sole !== undefined && { sole }),
    ...(isStarting && { isStarting }),
  };

  /** The only version, or else the version that has answered so far: a new one without an order does not silence it. */
  function soleOf(some: readonly string[]): string | undefined {
    return some.length === 1 ? some[0] : some.find((version) => version === before);
  }

  function newestOf(some: readonly string[]): string | undefined {
    return newestVersion(orderVersions(some).ascending, versions);
  }
}
