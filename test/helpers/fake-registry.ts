import { ServiceError } from '../../src/errors.js';
import type { AliasFile } from '../../src/models/registry/aliases.js';
import type { ListedModel, Listing } from '../../src/models/registry/directory.js';
import { type LoadEvent, Registry } from '../../src/models/registry/registry.js';
import { createFakeVersion, type FakeVersion } from './fake-version.js';

export type Names = Readonly<Record<string, string>>;
export const broken: AliasFile = {
  aliases: new Map(),
  problem: 'aliases.json: is not valid JSON in UTF-8',
  isUnknown: true,
};
const toFile = (aliases: Names | 'broken'): AliasFile =>
  aliases === 'broken' ? broken : { aliases: new Map(Object.entries(aliases)) };

export function listed(
  name: string,
  versions: readonly string[],
  aliases: Names | 'broken' = {},
): ListedModel {
  return {
    name,
    versions: versions.map((version) => ({ name: version, path: `/secret/${name}/${version}` })),
    aliases: toFile(aliases),
    isReadable: true,
  };
}

export const listing = (models: readonly ListedModel[], aliases: Names | 'broken' = {}): Listing => ({
  models,
  aliases: toFile(aliases),
  skipped: [],
});

/** A registry of fake versions. `bad` maps `model/version` to the error with which its load fails. */
export function createRegistry({ defaultModel }: { defaultModel?: string } = {}) {
  const bad = new Map<string, Error>();
  const loads: string[] = [];
  const events: LoadEvent[] = [];
  const fakes = new Map<string, FakeVersion>();
  let gate: Promise<void> = Promise.resolve();
  const registry = new Registry({
    defaultModel,
    onLoad: (event) => events.push(event),
    load: async (_path, model, version) => {
      const key = `${model}/${version}`;
      loads.push(key);
      await gate;
      const error = bad.get(key);
      if (error !== undefined) throw error;
      const fake = createFakeVersion(model, version);
      fakes.set(key, fake);
      return fake.loaded;
    },
  });
  /** Holds all loads until the returned function is called. */
  const holdLoads = () => {
    let letGo = () => {};
    gate = new Promise((resolve) => {
      letGo = resolve;
    });
    return letGo;
  };
  return { registry, bad, loads, events, fakes, holdLoads };
}

/** The version that answers, or the code of the error. */
export function answerOf(registry: Registry, model?: string, version?: string): string {
  try {
    const loaded = registry.lease(model, version);
    loaded.release();
    return `${loaded.name}/${loaded.version}`;
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    return error.code;
  }
}

export const statesOf = (registry: Registry, model: string) =>
  Object.fromEntries([...registry.find(model).versions].map(([name, { state }]) => [name, state]));
