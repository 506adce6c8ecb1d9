import { fileURLToPath } from 'node:url';

// `npm run dev` runs the sources: the child then needs tsx, as its parent does.
const isSource = import.meta.url.endsWith('.ts');

/** The arguments with which Node starts the process of batch jobs. Tests put the built one in its place. */
export const jobProcessEntry: readonly string[] = isSource
  ? ['--import', 'tsx', fileURLToPath(new URL('./main.ts', import.meta.url))]
  : [fileURLToPath(new URL('./main.js', import.meta.url))];
