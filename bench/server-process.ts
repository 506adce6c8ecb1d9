import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Load, LoadResult } from './load.js';

export interface BenchServer {
  readonly port: number;
  /** CPU time of the process so far, user and system, in microseconds. */
  cpuUs(): Promise<number>;
  stop(): void;
}

/** Starts a server of the bench in a process of its own. */
export async function startBenchServer(
  file: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<BenchServer> {
  const child = fork(new URL(file, import.meta.url), args, {
    env: { ...process.env, ...env },
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const { port } = await messageOf<{ port: number }>(child);
  return {
    port,
    async cpuUs() {
      const answer = messageOf<NodeJS.CpuUsage>(child);
      child.send('cpu');
      const { user, system } = await answer;
      return user + system;
    },
    stop: () => child.disconnect(),
  };
}

/** Runs the load generator in a process of its own. Throws if a request failed. */
export async function putLoad(load: Load): Promise<LoadResult> {
  const result = await askProcess<LoadResult>('./load.ts', load);
  if (result.failed > 0) throw new Error(`${result.failed} requests to ${load.path} failed`);
  return result;
}

/**
 * Runs a file of the bench in a process of its own, and resolves with its one message. The process reads `question` as
 * JSON from the file that its first argument names: an argument has at most 128 KiB on Linux.
 */
export async function askProcess<T>(file: string, question: unknown): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'sardonyx-bench-'));
  const path = join(folder, 'question.json');
  writeFileSync(path, JSON.stringify(question));
  const child = fork(new URL(file, import.meta.url), [path], { execArgv: ['--import', 'tsx'] });
  try {
    return await messageOf<T>(child);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function messageOf<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`a process of the bench ended with ${code}`));
    child.once('exit', onExit);
    child.once('message', (message) => {
      child.off('exit', onExit);
      resolve(message as T);
    });
  });
}
