import { readFileSync } from 'node:fs';

/** The version of this package: the file lies one folder above, in the sources as in the build. */
export const serverVersion: string = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
).version;
