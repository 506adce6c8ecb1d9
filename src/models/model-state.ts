import { keepLastGood } from './aliases.js';
import type { ListedModel } from './directory.js';
import { type ModelState, newestVersion, type VersionState } from './routing.js';
import { orderVersions } from './version-order.js';

type VersionStates = ReadonlyMap<string, VersionState>;

/** A listing about to be applied: what is ready stays so, gone or not, and the rest is loading. */
export function beginModel(listed: ListedModel, before?: ModelState): ModelState {
  const versions = new Map<string, VersionState>();
  for (const { name } of listed.versions) versions.set(name, { state: 'loading' });
  for (const [name, state] of before?.versions ?? []) if (state.state === 'ready') versions.set(name, state);
  // Aliases may already name what is still to be loaded: those in force stay until it is.
  return toModelState(listed, versions, { ...listed.aliases, ...(before && { aliases: before.aliases }) });
}

/** A listing applied, and its versions as they turned out. What is gone is left out. */
export function settleModel(listed: ListedModel, versions: VersionStates, before?: ModelState): ModelState {
  const kept = listed.versions.flatMap(({ name }) => {
    const state = versions.get(name);
    return state === undefined ? [] : [[name, state] as const];
  });
  return toModelState(listed, new Map(kept), keepLastGood(before, listed.aliases));
}

/** The model with one version's new state. */
export function withVersion(
  listed: ListedModel,
  model: ModelState,
  name: string,
  state: VersionState,
): ModelState {
  const { aliases, aliasProblem } = model;
  const versions = new Map(model.versions).set(name, state);
  return toModelState(listed, versions, { aliases, ...(aliasProblem && { problem: aliasProblem }) });
}

function toModelState(
  { name, versions: listed }: ListedModel,
  versions: VersionStates,
  { aliases, problem }: ListedModel['aliases'],
): ModelState {
  const names = new Set(listed.map((version) => version.name));
  const ready = [...versions].filter(([, { state }]) => state === 'ready').map(([version]) => version);
  // What is gone has no order with what came in its place: it is the newest only while there is nothing else.
  const latest = newestOf(ready.filter((version) => names.has(version))) ?? newestOf(ready);
  return {
    name,
    versions,
    aliases,
    ...(problem !== undefined && { aliasProblem: problem }),
    ...(latest !== undefined && { latest }),
  };

  function newestOf(some: readonly string[]): string | undefined {
    return newestVersion(orderVersions(some).ascending, versions);
  }
}
