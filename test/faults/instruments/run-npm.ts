import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** npm in a folder: its exit code and all that it says. Without the registry and the settings of this machine where one is named. */
export async function npm(folder: string, args: readonly string[], registry?: string) {
  const { PATH, HOME } = process.env;
  const own = {
    npm_config_registry: registry,
    npm_config_cache: join(folder, '.cache'),
    npm_config_userconfig: join(folder, '.npmrc'),
    npm_config_fetch_retries: '0',
    npm_config_update_notifier: 'false',
  };
  const env = registry === undefined ? process.env : { PATH, HOME, ...own };
  return await promisify(execFile)('npm', args, { cwd: folder, env, maxBuffer: 2 ** 26 }).then(
    ({ stdout, stderr }) => ({ code: 0, said: stdout + stderr }),
    (error) => ({ code: error.code as number, said: `${error.stdout}${error.stderr}` }),
  );
}
