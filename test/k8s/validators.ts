import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The schemas of Kubernetes, a linter, and the schemas of KEDA and Prometheus Operator. Upgraded by hand. */
const pythonPackages = ['kubernetes-validate==1.37.0', 'checkov==3.3.30'];
const nodePackages = ['@kubernetes-models/keda@2.0.0', '@kubernetes-models/prometheus-operator@6.0.0'];

/** A folder with npm packages and, in `python/`, Python packages; or why there is none. */
export type Validators = { readonly folder: string; readonly missing?: never } | { readonly missing: string };

/**
 * Installs the tools once into the temp folder, in a folder named after their versions. That takes about a minute,
 * 450 MB, and the registries of PyPI and npm.
 */
export function installValidators(): Validators {
  const digest = createHash('sha256').update([...pythonPackages, ...nodePackages].join());
  const folder = join(tmpdir(), `sardonyx-validators-${digest.digest('hex').slice(0, 12)}`);
  const done = join(folder, 'done');
  if (existsSync(done)) return { folder };
  const draft = `${folder}.${process.pid}`;
  const run = (file: string, ...args: string[]) =>
    execFileSync(file, args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'], timeout: 280_000 });
  try {
    // Left over from an interrupted installation. A virtual environment contains its own path, so it is built in place.
    if (existsSync(folder)) renameSync(folder, draft);
    mkdirSync(folder);
    writeFileSync(join(folder, 'package.json'), '{"private":true,"type":"module"}');
    run('python3', '-m', 'venv', 'python');
    run('python/bin/pip', 'install', '--quiet', '--disable-pip-version-check', ...pythonPackages);
    run('npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund', ...nodePackages);
    writeFileSync(done, '');
    return { folder };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    const reason = String(error).split('\n', 1)[0];
    return { missing: `needs Python 3 with venv, and the registries of PyPI and npm (${reason})` };
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}
