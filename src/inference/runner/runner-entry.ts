import { fileURLToPath } from 'node:url';

// `npm run dev` runs the sources: the child then needs tsx, as its parent does.
const isSource = import.meta.url.endsWith('.ts');

/** The arguments with which Node starts a runner's child process. Tests put the built one in its place. */
export const runnerEntry: readonly string[] = isSource
  ? ['--import', 'tsx', fileURLToPath(new URL('./main.ts', import.meta.url))]
  : [fileURLToPath(new URL('./main.js', import.meta.url))];
