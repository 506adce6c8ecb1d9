import { defaultVersion, type ModelState, type VersionState } from '../models/registry/choose-version.js';
import type { Listing } from '../models/registry/directory.js';
import { findProblem } from '../models/registry/readiness.js';
import type { Registry } from '../models/registry/registry.js';
import { suggestDefault } from '../models/registry/unavailable.js';
import { toDefaultCommand } from './default-command.js';

export interface CheckReport {
  readonly folder: string;
  readonly models: readonly ModelReport[];
  /** The model that plain /predict means, if there is one. */
  readonly defaultModel?: string;
  /** One sentence per fault. */
  readonly faults: readonly string[];
}

export interface ModelReport {
  readonly name: string;
  /** The version that answers requests for the model alone. */
  readonly defaultVersion?: string;
  /** Why a request for the model alone gets no answer. */
  readonly problem?: string;
  readonly latest?: string;
  readonly aliases: Readonly<Record<string, string>>;
  readonly versions: readonly VersionReport[];
}

interface VersionReport {
  readonly version: string;
  readonly state: VersionState['state'];
  readonly reason?: string;
  readonly executor?: string;
  readonly identity?: string;
  /** Hints with advice, which are no faults. */
  readonly notes?: readonly string[];
  readonly loadStats?: { readonly loadMs: number; readonly runUs?: number; readonly goldenRows: number };
  /** Its other names: `default`, `latest`, aliases. */
  readonly names: readonly string[];
}

/** `registry` must have applied the listing. */
export function reportOn(
  folder: string,
  listing: Listing,
  registry: Registry,
  plain: { readonly name?: string; readonly problem?: string },
): CheckReport {
  const states = registry.list();
  const models = states.map(toModelReport);
  const names = states.map(({ name }) => name);
  const faults = [
    ...states.flatMap(versionFaults),
    ...listing.skipped,
    ...states.flatMap(aliasFaults),
    ...states.flatMap((state) => defaultFaults(folder, state)),
    ...[...listing.aliases.aliases]
      .filter(([, target]) => !names.includes(target))
      .map(([alias, target]) => `the alias ${alias} names the model ${target}, which is not there`),
    ...(names.length === 0 ? [`${folder} holds no model`] : []),
    ...(plain.problem === undefined ? [] : [plain.problem]),
  ];
  return { folder, models, ...(plain.name !== undefined && { defaultModel: plain.name }), faults };
}

function toModelReport(state: ModelState): ModelReport {
  const byDefault = defaultVersion(state);
  const problem = findProblem(state)?.reason;
  return {
    name: state.name,
    ...(byDefault !== undefined && { defaultVersion: byDefault }),
    ...(problem !== undefined && { problem }),
    ...(state.latest !== undefined && { latest: state.latest }),
    aliases: Object.fromEntries(state.aliases),
    versions: [...state.versions].map(([version, outcome]) => ({
      version,
      ...toOutcome(outcome),
      names: namesOf(state, version),
    })),
  };
}

function toOutcome(outcome: VersionState) {
  if (outcome.state !== 'ready') {
    return { state: outcome.state, ...(outcome.state === 'refused' && { reason: outcome.reason }) };
  }
  const { executorKind, identity, loadStats } = outcome.loaded;
  const { loadMs, runMs, goldenRows } = loadStats;
  // A tensor model may have no measured run, since its example is a guess.
  const runUs = Number.isFinite(runMs) ? { runUs: runMs * 1_000 } : {};
  return {
    state: outcome.state,
    executor: executorKind,
    identity,
    ...(loadStats.notes.length > 0 && { notes: loadStats.notes }),
    loadStats: { loadMs, ...runUs, goldenRows },
  };
}

function namesOf(state: ModelState, version: string): readonly string[] {
  const aliases = [...state.aliases].filter(([, target]) => target === version).map(([alias]) => alias);
  const isDefault = defaultVersion(state) === version && !aliases.includes('default');
  return [...(isDefault ? ['default'] : []), ...aliases, ...(state.latest === version ? ['latest'] : [])];
}

function versionFaults({ name, versions }: ModelState): readonly string[] {
  return [...versions].flatMap(([version, it]) =>
    it.state === 'refused' ? [`${name}/${version} is refused: ${it.reason}`] : [],
  );
}

function aliasFaults({ name, aliases, versions }: ModelState): readonly string[] {
  return [...aliases].flatMap(([alias, target]) => {
    const version = versions.get(target);
    if (version?.state === 'ready') return [];
    return [
      `${name}: the alias ${alias} names ${target}, which is ${version === undefined ? 'not there' : version.state}`,
    ];
  });
}

/**
 * The fault that no version answers for the model alone, in the words of readiness and the 503, with a command.
 * Empty if a fault of a version or an alias explains it already.
 */
function defaultFaults(root: string, state: ModelState): readonly string[] {
  const { name, aliases, versions } = state;
  const problem = findProblem(state)?.reason;
  const suggested = suggestDefault(state);
  const isExplained = aliases.has('default') || (versions.size > 0 && suggested === undefined);
  if (problem === undefined || isExplained) return [];
  const command =
    suggested === undefined ? '' : ` As a command: ${toDefaultCommand(root, name, aliases, suggested)}`;
  return [`${name}: ${problem}${command}`];
}
