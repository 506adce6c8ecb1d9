import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { ServiceError } from '../../errors.js';
import { EngineError } from '../engine/engine-error.js';
import type { Tensors } from '../tensors/tensor.js';
import { childEnvironment } from './child-environment.js';
import { createFrameReader, type Frame, toFrame } from './frame.js';
import type { RunnerReply, RunnerRequest } from './messages.js';
import { runnerEntry } from './runner-entry.js';

/** The child ended or was killed, so its request gets no answer. */
export class RunnerLostError extends Error {
  override readonly name = 'RunnerLostError';
}

const memoryEnd = 'it took more memory than MAX_MODEL_MEMORY_MB allows';

export function tookTooMuchMemory(error: unknown): boolean {
  return error instanceof RunnerLostError && error.message.includes(memoryEnd);
}

type ReplyTo<Kind extends RunnerRequest['kind']> = Extract<
  RunnerReply,
  { kind: { open: 'opened'; run: 'ran'; measure: 'measured'; close: 'closed' }[Kind] }
>;

/** One child process that holds one model at a time. */
export interface RunnerProcess {
  readonly pid: number | undefined;
  readonly isAlive: boolean;
  /** One request at a time. Throws `EngineError`, `output_too_large`, and `RunnerLostError` if the child ends. */
  ask<Kind extends RunnerRequest['kind']>(
    request: Extract<RunnerRequest, { kind: Kind }>,
    tensors?: Tensors,
  ): Promise<Frame<ReplyTo<Kind>>>;
  kill(): void;
  /** Whether the child keeps the event loop of the parent alive: true at first. */
  hold(isHeld: boolean): void;
  /** Resolves with how the child ended, as soon as it ends or `kill` is called. */
  readonly ended: Promise<string>;
}

/** The child ends itself above `maxMemoryBytes`. It gets few variables of the parent's environment, and no secrets. */
export function startRunnerProcess(maxMemoryBytes: number): RunnerProcess {
  const child = spawn(
    process.execPath,
    // The child collects garbage before it measures its memory.
    ['--expose-gc', ...runnerEntry, String(maxMemoryBytes), String(process.pid)],
    {
      env: childEnvironment(),
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    },
  );
  // A socket pair, readable and writable, unlike the declared type of `stdio`.
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
  // A write to a child that is ending fails: the event `exit` reports the end.
  channel.on('error', () => undefined);

  return {
    pid: child.pid,
    get isAlive() {
      return isAlive;
    },
    ended,
    kill() {
      child.kill('SIGKILL');
      // The kernel may take long to remove the process, and no caller needs to wait for that.
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
      // Each kind of request has one kind of reply, and replies come in the order of the requests.
      return { message: message as ReplyTo<Kind>, tensors: outputs };
    },
  };
}

function describeEnd(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal === 'SIGUSR2') return memoryEnd;
  return signal ?? `exit code ${code}`;
}
