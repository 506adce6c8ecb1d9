import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface ServerProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly port: number;
  readonly url: string;
  /** Lines of standard output (the log) and of standard error (the start summary, problems of the start). */
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  /** Resolves with how the process ended. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

const addressPattern = /listening at https?:\/\/[^"]*:(\d+)/;

/**
 * Starts the built server as users do, on a free port, and waits until its models are loaded, or until a line of
 * standard output matches `listening`, a pattern that captures the port. Throws if the server ends before. `under` is a
 * command that finally executes the server, such as a shell that sets a limit first; `program` is another one of ours.
 */
export async function startServerProcess(
  environment: Record<string, string> = {},
  {
    listening,
    under = [],
    program,
  }: {
    readonly listening?: RegExp;
    readonly under?: readonly string[];
    readonly program?: readonly string[];
  } = {},
): Promise<ServerProcess> {
  const { child, stdout, stderr, ended } = spawnServer(environment, under, program);
  let scheme = 'http';
  const isLoaded = () => stderr.some((line) => line.startsWith('Sardonyx answers at'));
  const port = await new Promise<number>((resolve, reject) => {
    const resolveOnceLoaded = (found: number) => {
      if (isLoaded()) resolve(found);
      else child.stderr?.on('data', () => setImmediate(() => isLoaded() && resolve(found)));
    };
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    lines.on('line', (line) => {
      stdout.push(line);
      const found = (listening ?? addressPattern).exec(line);
      if (found === null) return;
      if (line.includes('https://')) scheme = 'https';
      if (listening === undefined) resolveOnceLoaded(Number(found[1]));
      else resolve(Number(found[1]));
    });
    void ended.then(({ code }) => reject(new Error(`the server ended with ${code}: ${stderr.join('\n')}`)));
  });
  const server: ServerProcess = {
    child,
    port,
    url: `${scheme}://127.0.0.1:${port}`,
    stdout,
    stderr,
    ended,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await ended;
    },
  };
  // Each process writes its own lines: those of the workers may come after that of the supervisor.
  const workers = Number(environment['WORKERS'] ?? 1);
  if (workers > 1 && listening === undefined && environment['LOG_LEVEL'] === undefined)
    await waitForLine(server, 'worker listens', workers);
  return server;
}

/** Waits until `count` lines of the log contain the text. */
export async function waitForLine(server: ServerProcess, text: string, count = 1): Promise<void> {
  while (server.stdout.filter((line) => line.includes(text)).length < count) {
    await once(server.child.stdout as NodeJS.ReadableStream, 'data');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Starts the server and waits for its end: for starts that must fail. */
export async function runServerToItsEnd(environment: Record<string, string>, program?: readonly string[]) {
  const { child, stdout, stderr, ended } = spawnServer(environment, [], program);
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => stdout.push(line));
  const end = await ended;
  return { ...end, stdout, stderr };
}

/** Variables for the clock, time zone and language, which the server shares with its tests. */
const isOfMachine = (name: string) => /^(PATH|HOME|TZ|LANG|LC_\w+|LD_PRELOAD|(DONT_)?FAKE\w+)$/.test(name);

function spawnServer(
  environment: Record<string, string>,
  under: readonly string[] = [],
  program: readonly string[] = ['dist/main.js'],
) {
  const [file = '', ...more] = [...under, process.execPath, ...program];
  const machine = Object.fromEntries(Object.entries(process.env).filter(([name]) => isOfMachine(name)));
  // Created with the first job.
  const stateDir = join(tmpdir(), `sardonyx-state-${randomUUID()}`);
  const child = spawn(file, more, {
    // Ignore the .env of a developer in this folder.
    env: { ...machine, ENV_FILE: '/dev/null', PORT: '0', STATE_DIR: stateDir, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stdout: string[] = [];
  const stderr: string[] = [];
  createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => stderr.push(line));
  const ended = once(child, 'close').then(([code, signal]) => {
    rmSync(stateDir, { recursive: true, force: true });
    return { code, signal };
  });
  return { child, stdout, stderr, ended };
}
