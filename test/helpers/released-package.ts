import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packRelease } from '../../scripts/release/pack.js';

export interface ReleasedPackage extends Disposable {
  /** The tarball. */
  readonly file: string;
  /** A temporary folder of the test, removed at the end. */
  readonly folder: string;
}

/** A release of the current build. */
export function releasePackage(): ReleasedPackage {
  const folder = mkdtempSync(join(tmpdir(), 'sardonyx-release-'));
  return {
    file: packRelease(join(folder, 'release')),
    folder,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Unpacks a release and installs its dependencies with the commands of docs/systemd.md. */
export function installRelease(file: string, folder: string): void {
  mkdirSync(folder, { recursive: true });
  execFileSync('tar', ['--extract', '--no-same-owner', '--strip-components=1', '-C', folder, '-f', file]);
  const args = ['ci', '--omit=dev', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
  execFileSync('npm', args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
}
