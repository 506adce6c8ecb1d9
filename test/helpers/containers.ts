import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { findFreePort } from './free-port.js';
import { findOnPath, installByApt } from './programs.js';

const engine = 'scripts/image/engine.sh';
/** The programs that `scripts/image` and the tests run, by Debian package. */
const programs = {
  buildah: 'buildah',
  podman: 'podman',
  mmdebstrap: 'mmdebstrap',
  runc: 'runc',
  iptables: 'iptables',
};

/** Why this machine cannot run containers; undefined if it can. Installs missing programs if possible. */
export function findNoContainers(): string | undefined {
  if (process.getuid?.() !== 0) return 'containers without docker need root';
  for (const [program, name] of Object.entries(programs)) {
    const find = () => findOnPath([program]) ?? findOnPath([`../sbin/${program}`]);
    if (find() === undefined && !(installByApt(name) && find() !== undefined))
      return `${program} is not installed`;
  }
  return undefined;
}

/** Runs a command to its end and returns its standard output. Throws if it fails. */
export function run(command: string, args: readonly string[], env: Record<string, string> = {}): string {
  const { status, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 64 * 1_048_576,
    env: { ...process.env, ...env },
  });
  if (status !== 0)
    throw new Error(`${command} ${args.join(' ')} ended with ${status}: ${stderr.slice(-2_000)}`);
  return stdout;
}

/** Runs podman with the image store of this project. */
export const podman = (...args: readonly string[]): string => run(engine, ['podman', ...args]);

/**
 * Builds the image with `scripts/image/build.sh`, and returns its name. Builds from a copy of the working tree that
 * only its owner may read, like a checkout under `umask 077`.
 */
export function buildImage(): string {
  const name = 'localhost/sardonyx:test';
  const folder = mkdtempSync(join(tmpdir(), 'sardonyx-checkout-'));
  try {
    const files = run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard']).split('\0');
    for (const file of files.filter((each) => each !== '' && existsSync(each))) {
      const copy = join(folder, file);
      mkdirSync(dirname(copy), { recursive: true, mode: 0o700 });
      copyFileSync(file, copy);
      chmodSync(copy, statSync(file).mode & 0o700);
    }
    run(join(folder, 'scripts/image/build.sh'), [name]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return name;
}

export interface ContainerOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** Further options of `podman run`, such as a volume. They override the default options below. */
  readonly options?: readonly string[];
  readonly command?: readonly string[];
}

export interface Container extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
  readonly url: string;
  /** The output of the container so far, of both streams. */
  logs(): readonly string[];
  /** Sends a signal and resolves with the exit code. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number>;
  /** The exit code, once the container has ended by itself. */
  readonly ended: Promise<number>;
}

let count = 0;

/** Starts the image as strictly as an operator would: no root, no capabilities, read-only, with low limits. */
export async function startContainer(
  image: string,
  { environment = {}, options = [], command = [] }: ContainerOptions = {},
): Promise<Container> {
  count += 1;
  const name = `sardonyx-test-${process.pid}-${count}`;
  const port = await findFreePort();
  const settings = {
    AUTH: 'off',
    HOST: '127.0.0.1',
    PORT: String(port),
    MODELS_DIR: '/app/models',
    ...environment,
  };
  const child = spawn(
    engine,
    [
      ...['podman', 'run', '--rm', '--name', name, '--pull', 'never', '--network', 'host'],
      ...['--read-only', '--read-only-tmpfs=false', '--user', '1000:1000', '--cap-drop', 'all'],
      ...['--security-opt', 'no-new-privileges', '--memory', '512m', '--memory-swap', '512m', '--cpus', '1'],
      ...Object.entries(settings).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
      ...options,
      image,
      ...command,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (piece) => {
      text += piece;
    });
  }
  const ended = once(child, 'close').then(([code]) => Number(code));
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  return {
    name,
    port,
    url: `http://127.0.0.1:${port}`,
    // Leaves out podman's warnings about a machine without systemd.
    logs: () => text.split('\n').filter((line) => line !== '' && !line.includes('systemd')),
    async end(signal) {
      podman('kill', '--signal', signal, name);
      return ended;
    },
    ended,
    async [Symbol.asyncDispose]() {
      if (isRunning()) spawnSync(engine, ['podman', 'rm', '--force', '--time', '2', name]);
      await ended;
    },
  };
}

/** Resolves once the server may get traffic, with the milliseconds since the call. Rejects after ten seconds. */
export async function waitForReady({ url, logs }: Container): Promise<number> {
  const started = performance.now();
  while (performance.now() - started < 10_000) {
    const response = await fetch(`${url}/health/ready`).catch(() => undefined);
    await response?.arrayBuffer();
    if (response?.status === 200) return performance.now() - started;
    await pause(20);
  }
  throw new Error(`the container is not ready: ${logs().join('\n')}`);
}
