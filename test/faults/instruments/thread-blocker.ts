import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { ServerProcess } from '../../helpers/server-process.js';

export interface ThreadBlocker extends Disposable {
  /** What a server needs to be blocked. */
  readonly environment: Readonly<Record<string, string>>;
  /** Holds the server's thread until it has computed for the milliseconds that were given. Resolves when it is over. */
  block(server: ServerProcess): Promise<void>;
}

/** Blocks the thread of a server, each time for so much of a processor's time. */
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
