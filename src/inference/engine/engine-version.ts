import { createRequire } from 'node:module';

const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string };

/** Of the engine that is installed, such as `1.30.0`. */
export const engineVersion = version;
