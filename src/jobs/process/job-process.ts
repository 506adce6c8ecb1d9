import { fork } from 'node:child_process';
import { ServiceError } from '../../errors.js';
import { childEnvironment } from '../../inference/runner/child-environment.js';
import { toFileError } from './file-fault.js';
import { jobProcessEntry } from './job-process-entry.js';
import type { ChunkReply, ChunkTask, JobProcessReply, JobProcessRequest, LoadLimits } from './messages.js';

/** The process cannot load the version of a chunk. */
export class UnloadableError extends Error {
  override readonly name = 'UnloadableError';
}

/** The process is killed after this many checks without a message from it. A clock would run on in a suspended server. */
const maxSilentChecks = 6;
const checkEveryMs = 5_000;

/** A child process that runs chunks of jobs, at a low priority. */
export interface JobProcess {
  /** False until it can take chunks, and after its end. */
  readonly isReady: boolean;
  /** Resolves when it can take chunks, or has ended. */
  readonly started: Promise<void>;
  /**
   * Runs a chunk until `isCancelled`. Throws `executor_lost` if the process ends, `UnloadableError`, what concerns all
   * rows of the chunk (see `Task.answerEach`), and the errors of `FileFault`.
   */
  run(task: ChunkTask, isCancelled: () => boolean): Promise<ChunkReply>;
  /** Ends the process at once. `onEnd` is not called. */
  kill(): void;
}

/**
 * Helper threads would take the other processors from the server. The rows of a job leave much garbage and little else.
 * These settings take 40 MB less memory, and no more time: less room for young objects; a collection of the old ones once
 * they have grown by 30 %; one arena; buffers that go back to the system at once (mallopt(3); musl ignores the last two).
 */
const economy = {
  flags: ['--single-threaded-gc', '--max-semi-space-size=8', '--heap-growing-percent=30'],
  variables: { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '131072' },
} as const;

interface Pending {
  readonly resolve: (reply: ChunkReply) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Starts the process. `onEnd` gets the way in which the process ended, unless `kill` ended it. The process gets no
 * secrets from the environment of the server.
 */
export function startJobProcess(
  limits: LoadLimits,
  showsProblems: boolean,
  onEnd: (how: string) => void,
): JobProcess {
  const [last, ...execArgv] = [...jobProcessEntry].reverse() as [string, ...string[]];
  const child = fork(last, [], {
    execArgv: [...economy.flags, ...execArgv.reverse()],
    env: { ...childEnvironment(), ...economy.variables },
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  // The server's own work keeps it alive, not this process.
  child.unref();
  child.channel?.unref();
  const pending = new Map<number, Pending>();
  let [isReady, hasEnded, next, silentChecks] = [false, false, 0, 0];
  let settleStart!: () => void;
  const started = new Promise<void>((resolve) => {
    settleStart = resolve;
  });
  const send = (request: JobProcessRequest): void => {
    // A write to a process that is ending fails: the event `exit` reports the end.
    if (child.connected) child.send(request, () => undefined);
  };
  const end = (how: string, isExpected = false): void => {
    if (hasEnded) return;
    hasEnded = true;
    isReady = false;
    clearInterval(timer);
    const detail = `The process of batch jobs ended (${how}).`;
    for (const { reject } of pending.values())
      reject(new ServiceError('executor_lost', { detail, retryAfterSeconds: 1 }));
    pending.clear();
    settleStart();
    if (!isExpected) onEnd(how);
  };
  const timer = setInterval(() => {
    silentChecks += 1;
    if (silentChecks <= maxSilentChecks) return;
    child.kill('SIGKILL');
    end('it was silent');
  }, checkEveryMs).unref();
  child.once('exit', (code, signal) => end(signal ?? `exit code ${code}`));
  child.once('error', (error) => {
    // It must not write files of chunks that others run now.
    child.kill('SIGKILL');
    end(error.message);
  });
  child.on('message', (reply: JobProcessReply) => {
    silentChecks = 0;
    if (reply.kind === 'alive') return;
    if (reply.kind === 'ready') {
      isReady = !hasEnded;
      settleStart();
      return;
    }
    const waiter = pending.get(reply.id);
    pending.delete(reply.id);
    if (reply.kind === 'ran') waiter?.resolve(reply.reply);
    else if (reply.kind === 'unloadable') waiter?.reject(new UnloadableError(reply.reason));
    else if (reply.kind === 'unstored') waiter?.reject(toFileError(reply.fault));
    else waiter?.reject(new ServiceError(reply.code, { detail: reply.detail }));
  });
  send({ kind: 'begin', limits, showsProblems });

  return {
    get isReady() {
      return isReady;
    },
    started,
    async run(task, isCancelled) {
      next += 1;
      const id = next;
      const watch = setInterval(() => isCancelled() && send({ kind: 'cancel', id }), 50);
      try {
        return await new Promise<ChunkReply>((resolve, reject) => {
          if (hasEnded) return reject(new ServiceError('executor_lost', { retryAfterSeconds: 1 }));
          pending.set(id, { resolve, reject });
          send({ kind: 'run', id, task });
        });
      } finally {
        clearInterval(watch);
      }
    },
    kill() {
      child.kill('SIGKILL');
      end('SIGKILL', true);
    },
  };
}
