import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { findOnPath, installByApt, runs } from './programs.js';

/** A separate systemd, as the first process of a container with the files of this machine. */
export interface TestSystemd extends AsyncDisposable {
  /** Runs a command in the container and resolves with its output. Rejects with the output if the command fails. */
  run(file: string, ...args: readonly string[]): Promise<string>;
}

/** Why this machine cannot run one; undefined if it can. */
export function findWhyNoSystemd(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can start a systemd';
  if (!runs('unshare', ['--mount', 'true'])) return 'no mount namespaces here';
  if (!runs('grep', ['-qw', 'overlay', '/proc/filesystems'])) return 'no overlay file system here';
  if (!existsSync('/usr/lib/systemd/systemd') && !installByApt('systemd')) return 'no systemd here';
  if (findOnPath(['systemd-nspawn']) === undefined && !installByApt('systemd-container'))
    return 'no systemd-nspawn here';
  return undefined;
}

// No unit of this machine starts. Files are written to memory, and vanish with the container.
const boot = `
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$ROOT"
mkdir "$ROOT/upper" "$ROOT/work" "$ROOT/merged"
mount -t overlay overlay -o "lowerdir=/,upperdir=$ROOT/upper,workdir=$ROOT/work" "$ROOT/merged"
cd "$ROOT/merged"
rm -rf etc/systemd/system/*.wants
eval "$PREPARE"
exec systemd-nspawn --quiet --directory="$ROOT/merged" --machine="$MACHINE" --register=no --keep-unit \
  --link-journal=no --boot --console=pipe $BINDS systemd.unit=basic.target
`;

/**
 * Boots the container after a shell script has prepared its root folder, the script's working folder. `binds` maps
 * folders of this machine to read-only paths in the container. The container shares the network of this machine.
 */
export async function bootSystemd(
  prepare: string,
  binds: Readonly<Record<string, string>>,
): Promise<TestSystemd> {
  const root = mkdtempSync(join(tmpdir(), 'sardonyx-systemd-'));
  const machine = `sardonyx-test-${process.pid}`;
  const options = Object.entries(binds).map(([from, to]) => `--bind-ro=${from}:${to}`);
  // The container ends with the process of the test.
  const child = spawn('setpriv', ['--pdeathsig=TERM', 'unshare', '--mount', 'bash', '-c', boot], {
    env: {
      PATH: process.env['PATH'],
      ROOT: root,
      MACHINE: machine,
      PREPARE: prepare,
      BINDS: options.join(' '),
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  const ended = once(child, 'exit');
  const stop = async () => {
    const first = findFirst(child);
    if (child.exitCode === null) child.kill('SIGTERM');
    const kill = setTimeout(() => {
      if (first !== undefined) process.kill(first, 'SIGKILL');
    }, 20_000);
    await ended;
    clearTimeout(kill);
    rmSync(root, { recursive: true, force: true });
    rmSync(`/run/systemd/nspawn/propagate/${machine}`, { recursive: true, force: true });
  };
  for (let tries = 0; ; tries += 1) {
    const first = findFirst(child);
    const args = ['--all', `--target=${first}`];
    const state = first && spawnSync('nsenter', [...args, 'systemctl', 'is-system-running'], utf8).stdout;
    if (state && /running|degraded/.test(state)) {
      return {
        run: async (file, ...more) => (await execute('nsenter', [...args, file, ...more])).stdout,
        [Symbol.asyncDispose]: stop,
      };
    }
    if (child.exitCode !== null || tries === 300) {
      if (child.exitCode === null) await stop();
      throw new Error(`systemd does not start: ${said}`);
    }
    await pause(100);
  }
}

const execute = promisify(execFile);
const utf8 = { encoding: 'utf8' } as const;

/** The first process of the container: `setpriv` has become systemd-nspawn, whose child it is. */
function findFirst({ pid }: ChildProcess): number | undefined {
  try {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    const name = child && readFileSync(`/proc/${child}/comm`, 'utf8').trim();
    return name === 'systemd' ? Number(child) : undefined;
  } catch {
    return undefined;
  }
}
