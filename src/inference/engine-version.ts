import { createRequire } from 'node:module';

/** Of the engine that is installed, such as `1.30.0`. */
export const engineVersion: string = readVersion(
  createRequire(import.meta.url)('onnxruntime-node/package.json'),
);

function readVersion(file: unknown): string {
  const { version } = file as { readonly version: string };
  return version;
}
