import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** KServe's own Python client, server and storage downloader. Upgraded by hand, so that runs are repeatable. */
const ownPackages = ['kserve==0.21.0', 'kserve-storage==0.21.0'];

/** The path of a Python with these packages, or why there is none. */
export type KservePython = { readonly python: string } | { readonly missing: string };

/**
 * Installs these packages and `more` once into the temp folder, in a folder named after their versions. That takes a
 * minute, 700 MB and the registry of PyPI.
 */
export function installKserve(more: readonly string[] = []): KservePython {
  const packages = [...ownPackages, ...more];
  const digest = createHash('sha256').update(packages.join()).digest('hex').slice(0, 12);
  const folder = join(tmpdir(), `sardonyx-kserve-${digest}`);
  const python = join(folder, 'bin/python');
  // Written last: an interrupted installation has no such file.
  const mark = join(folder, 'complete');
  if (existsSync(mark)) return { python };
  rmSync(folder, { recursive: true, force: true });
  const run = (file: string, ...args: string[]) =>
    execFileSync(file, args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 500_000 });
  try {
    run('python3', '-m', 'venv', folder);
    run(python, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages);
    writeFileSync(mark, '');
    return { python };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    const why = String(error).split('\n', 1)[0];
    return { missing: `needs Python 3 with venv, and the registry of PyPI (${why})` };
  }
}
