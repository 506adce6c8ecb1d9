import { codeOf, RefusedError } from '../../errors.js';
import type { ListedVersion } from './directory.js';
import type { LoadEvent, RegistryOptions } from './registry.js';

/** Loads one version, and gives how it turned out, whatever is wrong with it. */
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
        : `could not be loaded (${codeOf(error)}): the server's log says more`;
    return { model, version, outcome: { state: 'refused', reason }, error };
  }
}
