import { RefusedError, ServiceError } from '../../errors.js';
import { listSome } from '../../models/registry/choose-version.js';
import { listDirectory } from '../../models/registry/directory.js';
import { Registry } from '../../models/registry/registry.js';
import { createCliLoader } from './loader.js';

const notRequested = 'not requested';

/** The model that a command names, and its version if it names one. Either may be an alias. */
export interface Target {
  readonly model: string;
  readonly version: string | undefined;
}

/** Reads `MODEL` or `MODEL@VERSION`. */
export function readTarget(text: string): Target {
  const at = text.indexOf('@');
  return at < 0
    ? { model: text, version: undefined }
    : { model: text.slice(0, at), version: text.slice(at + 1) };
}

export interface LoadedTarget {
  readonly registry: Registry;
  close(): void;
}

/**
 * A registry that lists all versions, as routing needs, but loads only those that the target can mean. `signal` ends
 * the load. The caller must close it.
 */
export async function loadOne(
  env: Readonly<Record<string, string | undefined>>,
  root: string,
  { model, version }: Target,
  signal: AbortSignal,
): Promise<LoadedTarget> {
  const loader = createCliLoader(env);
  signal.addEventListener('abort', () => loader.close());
  const listing = await listDirectory(root);
  const name = listing.aliases.aliases.get(model) ?? model;
  const listed = listing.models.find((it) => it.name === name);
  const aliases = listed?.aliases.aliases;
  const selected = version === undefined ? aliases?.get('default') : (aliases?.get(version) ?? version);
  const isOne = selected !== undefined && selected !== 'latest';
  const registry = new Registry({
    async load(path, ofModel, ofVersion) {
      if (ofModel !== name || (isOne && ofVersion !== selected)) throw new RefusedError(notRequested);
      return loader.load(path, ofModel, ofVersion);
    },
  });
  await registry.apply(listing);
  return {
    registry,
    close() {
      registry.close();
      loader.close();
    },
  };
}

/** `: name one of a, b`, or nothing if the folder has no model. */
export async function nameModels(root: string): Promise<string> {
  const listing = await listDirectory(root).catch(() => undefined);
  const names = listing?.models.map(({ name }) => name) ?? [];
  return names.length === 0 ? '' : `: name one of ${listSome(names)}`;
}

/** Adds the reasons of refused versions to the error, in place of the address that a server would name. */
export function explainUnavailable(error: unknown, registry: Registry, model: string): unknown {
  if (!(error instanceof ServiceError) || error.code !== 'model_unavailable') return error;
  const states = registry.list().find((it) => it.name === model)?.versions ?? new Map();
  const reasons: string[] = [];
  for (const [name, state] of states) {
    if (state.state === 'refused' && state.reason !== notRequested)
      reasons.push(`${name} is refused: ${state.reason}`);
  }
  const sentences = (error.detail ?? error.message).replace(/ GET \S+ says why\./, '');
  return new RefusedError([sentences, ...reasons].join(' '));
}
