import { type AliasFile, keepLastGood } from './aliases.js';
import { type ModelState, newestVersion, type VersionState } from './choose-version.js';
import type { ListedModel } from './directory.js';
import { orderVersions } from './version-order.js';

type VersionStates = ReadonlyMap<string, VersionState>;

/** The model at the start of a listing's application: versions of `before` that are ready stay; all others load. */
export function beginModel(listed: ListedModel, before?: ModelState, isStarting = false): ModelState {
  const versions = new Map<string, VersionState>();
  for (const { name } of listed.versions) versions.set(name, { state: 'loading' });
  for (const [name, state] of before?.versions ?? []) if (state.state === 'ready') versions.set(name, state);
  // New aliases may name versions that are not loaded yet: the old aliases stay in force until then.
  const { problem } = listed.aliases;
  const aliases =
    before === undefined ? listed.aliases : { ...aliasesOf(before), ...(problem && { problem }) };
  return toModelState(listed, versions, aliases, before?.sole, isStarting);
}

/** The model after the listing is applied, without removed versions. `sole` is the model's `sole` before it. */
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

/** `sole` is as for `settleModel`. */
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
  // A version whose folder was removed counts as `latest` only if no listed version is ready.
  const listedReady = ready.filter((version) => names.has(version));
  // While the server starts, a newer version may still be loading.
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

  /** The only version, else the one that answered so far: a new version without an order does not replace it. */
  function soleOf(some: readonly string[]): string | undefined {
    return some.length === 1 ? some[0] : some.find((version) => version === before);
  }

  function newestOf(some: readonly string[]): string | undefined {
    return newestVersion(orderVersions(some).ascending, versions);
  }
}
