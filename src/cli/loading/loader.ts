import { limitsOf, readConfig } from '../../config/read-config.js';
import { createLoader, type Loader } from '../../models/loading/loader.js';

/** A loader with the limits of a server in this environment. Other variables are not read, so they may be invalid. */
export function createCliLoader(env: Readonly<Record<string, string | undefined>>): Loader {
  const { MODEL_LOAD_TIMEOUT_MS, MAX_MODEL_MEMORY_MB, MAX_OUTPUT_BYTES } = env;
  return createLoader(limitsOf(readConfig({ MODEL_LOAD_TIMEOUT_MS, MAX_MODEL_MEMORY_MB, MAX_OUTPUT_BYTES })));
}
