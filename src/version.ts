import { readFileSync } from 'node:fs';

/** package.json lies one folder above this file, in the sources as in the build. */
export const serverVersion: string = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
).version;
