import { createRequire } from 'node:module';

const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string };

/** The version of the installed engine, such as `1.30.0`. */
export const engineVersion = version;
