import { codeOf, RefusedError } from '../../errors.js';
import type { ListedVersion } from './directory.js';
import type { LoadEvent, RegistryOptions } from './registry.js';

/** Loads one version. Every error becomes a refused outcome; nothing is thrown. */
export async function attemptLoad(
  load: RegistryOptions['load'],
  model: string,
  { path, name: version }: ListedVersion,
): Promise<LoadEvent> {
  try {
    const loaded = await load(path, model, version);
    return { model, version, outcome: { state: 'ready', loaded } };
  } catch (error) {
    const reason =
      error instanceof RefusedError
        ? error.message
        : `could not be loaded (${codeOf(error)}): see the server's log`;
    return { model, version, outcome: { state: 'refused', reason }, error };
  }
}
