import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../contracts/job-store.js';

/**
 * The folder of an ended job in the embedded store. A job is seen as ended once its end is written; its folder moves
 * after that, and is cleared last.
 */
export async function endedJobFolder(stateDir: string, id: string): Promise<string> {
  const ended = join(stateDir, 'jobs', 'ended');
  return await until(async () => {
    const name = (await readdir(ended)).find((it) => it.startsWith(`${id}.`));
    if (name === undefined) return undefined;
    const isClear = !(await readdir(join(ended, name))).includes('ending');
    return isClear && join(ended, name);
  });
}
