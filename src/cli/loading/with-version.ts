import type { LoadedVersion } from '../../models/registry/loaded-version.js';
import type { Registry } from '../../models/registry/registry.js';
import { untilSignalled } from '../../process/stop-signals.js';
import type { CliContext } from '../terminal/command.js';
import { explainUnavailable, loadOne, type Target } from './load-one.js';

/** What a piece of work returns that a signal has ended: the process then exits as shells expect. */
export const stopped = 'stopped';

/**
 * Loads the version that a command names, and lends it to `work`. A signal aborts the `AbortSignal`; the work then returns
 * `stopped`, unless it was whole already. Throws the reasons if the version cannot be loaded.
 */
export async function withVersion<T>(
  env: CliContext['env'],
  root: string,
  target: Target,
  work: (loaded: LoadedVersion, signal: AbortSignal, registry: Registry) => Promise<T>,
): Promise<T> {
  const { registry, close } = await untilSignalled((signal) => loadOne(env, root, target, signal));
  try {
    const loaded = registry.lease(target.model, target.version);
    try {
      return await untilSignalled((signal) => work(loaded, signal, registry), {
        isWhole: (result) => result !== stopped,
      });
    } finally {
      loaded.release();
    }
  } catch (error) {
    throw explainUnavailable(error, registry, target.model);
  } finally {
    close();
  }
}
