import { type ChildProcess, fork } from 'node:child_process';
import { EngineError } from './engine-error.js';
import type { HostReply, HostRequest } from './host-message.js';

/** The child has ended, by itself or because it was killed: what it was asked has no answer. */
export class HostLostError extends Error {
  override readonly name = 'HostLostError';
}

/** One child process that holds one model. */
export interface HostProcess {
  readonly pid: number | undefined;
  readonly isAlive: boolean;
  /** Asks and waits, one question at a time. Throws `EngineError` for a refusal, `HostLostError` when the child ends. */
  ask(request: HostRequest): Promise<Extract<HostReply, { kind: 'opened' | 'ran' }>>;
  /** Ends the child at once, whatever it does. */
  kill(): void;
  /** Resolves when the child has ended, with how. */
  readonly ended: Promise<string>;
}

// From the sources, as tests and `npm run dev` run it, the child needs what its parent was given.
const isSource = import.meta.url.endsWith('.ts');
const entry = new URL(`./host.${isSource ? 'ts' : 'js'}`, import.meta.url);

/** Starts a child. It gets none of the parent's environment but what a process needs, and no secrets with it. */
export function startHostProcess(): HostProcess {
  const { PATH = '', HOME = '', TMPDIR = '' } = process.env;
  const child: ChildProcess = fork(entry, {
    env: { PATH, HOME, ...(TMPDIR && { TMPDIR }), ORT_DISABLE_TELEMETRY: '1' },
    execArgv: isSource ? ['--import', 'tsx'] : [],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  let isAlive = true;
  let waiting: { resolve: (reply: HostReply) => void; reject: (error: Error) => void } | undefined;
  const settle = (use: (waiter: NonNullable<typeof waiting>) => void): void => {
    const waiter = waiting;
    waiting = undefined;
    if (waiter !== undefined) use(waiter);
  };
  const ended = new Promise<string>((resolve) => {
    const end = (how: string): void => {
      isAlive = false;
      settle(({ reject }) => reject(new HostLostError(`the child ended (${how})`)));
      resolve(how);
    };
    child.once('exit', (code, signal) => end(signal ?? `exit code ${code}`));
    child.once('error', (error) => end(error.message));
  });
  child.on('message', (reply: HostReply) => settle(({ resolve }) => resolve(reply)));

  return {
    pid: child.pid,
    get isAlive() {
      return isAlive;
    },
    ended,
    kill: () => void child.kill('SIGKILL'),
    async ask(request) {
      const reply = await new Promise<HostReply>((resolve, reject) => {
        if (!isAlive) return reject(new HostLostError('the child has ended'));
        waiting = { resolve, reject };
        child.send(request, (error) => {
          if (error !== null)
            settle(({ reject: fail }) => fail(new HostLostError('the child cannot be reached')));
        });
      });
      if (reply.kind === 'failed') throw new EngineError(reply.reason);
      return reply;
    },
  };
}
