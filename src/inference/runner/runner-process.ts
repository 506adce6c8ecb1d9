import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { ServiceError } from '../../errors.js';
import { EngineError } from '../engine/engine-error.js';
import type { Tensors } from '../tensors/tensor.js';
import { createFrameReader, type Frame, toFrame } from './frame.js';
import type { RunnerReply, RunnerRequest } from './messages.js';
import { runnerEntry } from './runner-entry.js';

/** The child has ended, by itself or because it was killed: what it was asked has no answer. */
export class RunnerLostError extends Error {
  override readonly name = 'RunnerLostError';
}

const memoryEnd = 'it took more memory than MAX_MODEL_MEMORY_MB allows';

/** Whether a child has ended for the memory that it took. */
export function tookTooMuchMemory(error: unknown): boolean {
  return error instanceof RunnerLostError && error.message.includes(memoryEnd);
}

/** The answer to a request of kind `open` is of kind `opened`, and so on. */
type ReplyTo<Kind extends RunnerRequest['kind']> = Extract<
  RunnerReply,
  { kind: { open: 'opened'; run: 'ran'; measure: 'measured'; close: 'closed' }[Kind] }
>;

/** One child process that holds one model at a time. */
export interface RunnerProcess {
  readonly pid: number | undefined;
  readonly isAlive: boolean;
  /**
   * Asks and waits, one question at a time. Throws `EngineError` for a refusal, `output_too_large`, and
   * `RunnerLostError` when the child ends.
   */
  ask<Kind extends RunnerRequest['kind']>(
    request: Extract<RunnerRequest, { kind: Kind }>,
    tensors?: Tensors,
  ): Promise<Frame<ReplyTo<Kind>>>;
  /** Ends the child at once, whatever it does. */
  kill(): void;
  /** Whether the parent's own process goes on for this child's sake: it does, unless told otherwise. */
  hold(isHeld: boolean): void;
  /** Resolves with how the child ended, once it has, or was told to by `kill`. */
  readonly ended: Promise<string>;
}

/**
 * Starts a child, which ends itself when it takes more memory than `maxMemoryBytes`. It gets none of the parent's
 * environment but what a process needs, and no secrets with it.
 */
export function startRunnerProcess(maxMemoryBytes: number): RunnerProcess {
  const { PATH = '', HOME = '', TMPDIR = '' } = process.env;
  const child = spawn(
    process.execPath,
    // What has been read is thrown away before memory is measured.
    ['--expose-gc', ...runnerEntry, String(maxMemoryBytes), String(process.pid)],
    {
      env: { PATH, HOME, ...(TMPDIR && { TMPDIR }), ...localeOf(process.env), ORT_DISABLE_TELEMETRY: '1' },
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    },
  );
  // A socket pair, both ways: not what `stdio` of a child usually holds, hence the type.
  const channel = child.stdio[3] as Socket;
  let isAlive = true;
  let waiting: { resolve: (reply: Frame<RunnerReply>) => void; reject: (error: Error) => void } | undefined;
  const settle = (use: (waiter: NonNullable<typeof waiting>) => void): void => {
    const waiter = waiting;
    waiting = undefined;
    if (waiter !== undefined) use(waiter);
  };
  const lose = (why: string) => settle(({ reject }) => reject(new RunnerLostError(why)));
  let end!: (how: string) => void;
  const ended = new Promise<string>((resolve) => {
    end = (how) => {
      if (!isAlive) return;
      isAlive = false;
      lose(`the child ended (${how})`);
      resolve(how);
    };
    child.once('exit', (code, signal) => end(describeEnd(code, signal)));
    child.once('error', (error) => end(error.message));
  });
  channel.on(
    'data',
    createFrameReader<RunnerReply>((frame) => settle(({ resolve }) => resolve(frame))),
  );
  // A child that goes while it is written to: that it has ended is told by `exit`.
  channel.on('error', () => undefined);

  return {
    pid: child.pid,
    get isAlive() {
      return isAlive;
    },
    ended,
    kill() {
      child.kill('SIGKILL');
      // The kernel takes its time to clear such a process away, and nobody needs to wait for that.
      end('SIGKILL');
    },
    hold(isHeld) {
      const change = isHeld ? 'ref' : 'unref';
      child[change]();
      channel[change]();
    },
    async ask<Kind extends RunnerRequest['kind']>(
      request: Extract<RunnerRequest, { kind: Kind }>,
      tensors: Tensors = {},
    ) {
      const parts = toFrame({ message: request, tensors });
      const { message, tensors: outputs } = await new Promise<Frame<RunnerReply>>((resolve, reject) => {
        if (!isAlive) return reject(new RunnerLostError('the child has ended'));
        waiting = { resolve, reject };
        channel.cork();
        for (const part of parts) channel.write(part);
        channel.uncork();
      });
      if (message.kind === 'failed') throw new EngineError(message.reason);
      if (message.kind === 'too_large')
        throw new ServiceError('output_too_large', { detail: message.detail });
      // Each question has one kind of answer, and they come in the order asked.
      return { message: message as ReplyTo<Kind>, tensors: outputs };
    },
  };
}

/** What says which locales there are and where: a graph of texts may name one, and runs as it would in the server. */
function localeOf(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => /^(?:LANG|LANGUAGE|LC_\w+|LOCPATH)$/.test(name)),
  );
}

function describeEnd(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal === 'SIGUSR2') return memoryEnd;
  return signal ?? `exit code ${code}`;
}
