import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/**
 * Runs npm in a folder. Returns its exit code and all output. With `registry` it uses that registry and its own cache,
 * and ignores the settings of this machine.
 */
export async function runNpm(folder: string, args: readonly string[], registry?: string) {
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
    ({ stdout, stderr }) => ({ code: 0, output: stdout + stderr }),
    (error) => ({ code: error.code as number, output: `${error.stdout}${error.stderr}` }),
  );
}
