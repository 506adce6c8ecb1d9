import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { findFreePort } from './free-port.js';
import { provideRedisProgram, type RedisProgram } from './redis-program.js';

/** A separate real Redis without persistence, reachable only from this machine. */
export interface TestRedis extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Kills it, like a crash: it answers nothing any more. */
  stop(): Promise<void>;
  /** Suspends it: it keeps its connections and answers nothing. */
  freeze(): void;
  thaw(): void;
}

/** The longest time until it listens: docker needs some seconds to create a container. */
const startTimeoutMs = 20_000;

/**
 * Starts a Redis on a free port, or on the port of a stopped one, with further settings (`['--maxmemory', '2mb']`). It
 * ends with this process, even if that is killed: a shell waits until its standard input, a pipe from this process,
 * closes.
 */
export async function startRedis({
  port,
  settings = [],
  sentinel,
}: {
  readonly port?: number;
  readonly settings?: readonly string[];
  /** Runs as a Sentinel with these lines of configuration. */
  readonly sentinel?: readonly string[];
} = {}): Promise<TestRedis> {
  const program = provideRedisProgram();
  for (let tries = 1; ; tries += 1) {
    const at = port ?? (await findFreePort());
    try {
      return await startAt(program, at, settings, sentinel);
    } catch (error) {
      // Another process may have taken the port meanwhile.
      if (port !== undefined || tries === 3) throw error;
    }
  }
}

async function startAt(
  program: RedisProgram,
  port: number,
  settings: readonly string[],
  sentinel: readonly string[] | undefined,
): Promise<TestRedis> {
  const folder = mkdtempSync(join(tmpdir(), 'sardonyx-redis-'));
  const { start, signal } = createCommands(program, port, folder);
  const script = '"$@" & pid=$!; echo "pid $pid"; cat >/dev/null; kill -9 $pid; rm -rf "$0"';
  const file = join(folder, 'sentinel.conf');
  if (sentinel !== undefined) writeFileSync(file, sentinel.join('\n'));
  const ours =
    sentinel === undefined
      ? ['--save', '', '--appendonly', 'no', '--daemonize', 'no', ...settings]
      : ['--sentinel'];
  if (sentinel !== undefined) start.splice(1, 0, file);
  // Its own process group: Ctrl-C at the terminal goes only to the tests, and Redis ends with them.
  const guard = spawn('sh', ['-c', script, folder, ...start, ...ours], {
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
    // Redis must not get the fake clock of the tests: its jemalloc asks libfaketime 0.9.10 for the time before
    // libfaketime is ready, and Redis 7.0.15 never starts.
    env: { ...process.env, LD_PRELOAD: '' },
  });
  guard.unref();
  let isStopped = false;
  const stop = async () => {
    if (isStopped) return;
    isStopped = true;
    signal('KILL', pid);
    guard.stdin?.end();
    // Without this, a process with nothing else to do would end at the next line, without an error.
    guard.ref();
    if (guard.exitCode === null) await once(guard, 'exit');
  };
  let pid = 0;
  try {
    pid = await waitUntilReady(guard);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    stop,
    freeze: () => signal('STOP', pid),
    thaw: () => signal('CONT', pid),
    [Symbol.asyncDispose]: stop,
  };
}

/** Resolves once Redis listens, with the process of the server or of the docker client. */
async function waitUntilReady(guard: ChildProcess): Promise<number> {
  const lines: string[] = [];
  return new Promise((resolve, reject) => {
    const fail = () => reject(new Error(`Redis does not start: ${lines.slice(-3).join(' ')}`));
    const timer = setTimeout(fail, startTimeoutMs);
    let pid = 0;
    createInterface({ input: guard.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      lines.push(line);
      const found = /^pid (\d+)$/.exec(line);
      if (found !== null) pid = Number(found[1]);
      if (/Failed listening|Fatal|FATAL/.test(line)) fail();
      if (!/Ready to accept connections|Sentinel ID is/.test(line)) return;
      clearTimeout(timer);
      resolve(pid);
    });
    guard.once('error', reject);
  });
}

/** How to start it and how to send it a signal. */
function createCommands(program: RedisProgram, port: number, folder: string) {
  if (program.kind === 'file') {
    return {
      start: [program.path, '--port', String(port), '--bind', '127.0.0.1', '--dir', folder],
      signal: (name: 'KILL' | 'STOP' | 'CONT', pid: number) => {
        if (pid !== 0) process.kill(pid, `SIG${name}`);
      },
    };
  }
  const name = `sardonyx-${process.pid}-${port}`;
  const actions = { KILL: 'kill', STOP: 'pause', CONT: 'unpause' } as const;
  return {
    start: [
      'docker',
      'run',
      '--rm',
      '-i',
      '--name',
      name,
      '-p',
      `127.0.0.1:${port}:6379`,
      program.image,
      'redis-server',
    ],
    signal: (signal: keyof typeof actions) => {
      spawnSync('docker', [actions[signal], name], { stdio: 'ignore' });
    },
  };
}
