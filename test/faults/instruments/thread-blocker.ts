import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { ServerProcess } from '../../helpers/server-process.js';

export interface ThreadBlocker extends Disposable {
  /** The environment of the server that is to be blocked. */
  readonly environment: Readonly<Record<string, string>>;
  /** Blocks the server's main thread once. Resolves when the thread is free again. */
  block(server: ServerProcess): Promise<void>;
}

/** Blocks the main thread of a server; each block uses `ms` of processor time. */
export function createThreadBlocker(ms: number): ThreadBlocker {
  const folder = mkdtempSync(join(tmpdir(), 'sardonyx-blocking-'));
  const done = join(folder, 'done');
  const count = () => (existsSync(done) ? Number(readFileSync(done, 'utf8')) : 0);
  const plugin = pathToFileURL('test/faults/instruments/thread-blocker-plugin.mjs').href;
  return {
    environment: { NODE_OPTIONS: `--import=${plugin}`, BLOCK_MS: String(ms), BLOCK_DONE: done },
    async block(server) {
      const before = count();
      server.child.kill('SIGUSR2');
      while (count() === before) await pause(5);
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}
