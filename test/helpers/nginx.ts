import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort } from './free-port.js';
import { findOnPath, installByApt } from './programs.js';

/** On Debian, only root has the folder of nginx on the PATH. */
const find = () => findOnPath(['nginx']) ?? (existsSync(debianPath) ? debianPath : undefined);
const debianPath = '/usr/sbin/nginx';

/** A real nginx with the project's own configuration. */
export interface TestNginx extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  /** The lines of its access log so far. */
  lines(): readonly string[];
  /** The lines of its error log so far. */
  errors(): readonly string[];
}

/** The path of nginx, installed if possible; undefined if there is none. */
export function provideNginx(): string | undefined {
  return find() ?? (installByApt('nginx-light') ? find() : undefined);
}

/** Starts `deploy/nginx/nginx.conf` in front of servers on this machine, with other names, ports and folders. */
export async function startNginx(path: string, ...upstreamPorts: readonly number[]): Promise<TestNginx> {
  const folder = mkdtempSync(join(tmpdir(), 'sardonyx-nginx-'));
  // The workers of nginx run as another user.
  chmodSync(folder, 0o777);
  const port = await findFreePort();
  const log = join(folder, 'access.log');
  const text = replaceAll(readFileSync('deploy/nginx/nginx.conf', 'utf8'), {
    // This replacement comes first, since the folder may lie below /tmp.
    '/tmp/': `${folder}/`,
    'listen 8080;': `listen 127.0.0.1:${port};`,
    'server sardonyx:8000 resolve max_fails=0;': upstreamPorts
      .map((each) => `server 127.0.0.1:${each} max_fails=0;`)
      .join('\n'),
    '/dev/stdout': log,
  });
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, text);
  const child = spawn(path, ['-p', folder, '-c', file, '-g', 'daemon off;'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  const ended = once(child, 'exit');
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  for (let tries = 0; !(await isOpen(port)); tries += 1) {
    if (child.exitCode !== null || tries === 100) {
      await stop();
      throw new Error(`nginx does not start: ${said}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    port,
    pid: child.pid as number,
    lines: () => readFileSync(log, 'utf8').split('\n').filter(Boolean),
    errors: () => said.split('\n').filter(Boolean),
    [Symbol.asyncDispose]: stop,
  };
}

/** Throws if a text to be replaced is missing: the file has changed, and this helper must follow. */
function replaceAll(text: string, changes: Readonly<Record<string, string>>): string {
  return Object.entries(changes).reduce((changed, [from, to]) => {
    if (!changed.includes(from)) throw new Error(`deploy/nginx/nginx.conf has no ${from}`);
    return changed.replaceAll(from, to);
  }, text);
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const isThere = await new Promise<boolean>((resolve) => {
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
  });
  socket.destroy();
  return isThere;
}
