import { limitsOf, readConfig } from '../config/read-config.js';
import { createLoader, type Loader } from '../models/loading/loader.js';

/** What loads versions as a server with this environment would; a wrong variable of another kind is no matter here. */
export function createCliLoader(env: Readonly<Record<string, string | undefined>>): Loader {
  const { MODEL_LOAD_TIMEOUT_MS, MAX_MODEL_MEMORY_MB, MAX_OUTPUT_BYTES } = env;
  return createLoader(limitsOf(readConfig({ MODEL_LOAD_TIMEOUT_MS, MAX_MODEL_MEMORY_MB, MAX_OUTPUT_BYTES })));
}
