import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { runCli } from '../../src/cli/run-cli.js';

/** How a command ended, and what it printed. */
export interface CommandResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface CliFolder {
  /** A new folder for each test. */
  readonly path: string;
  /** Runs a command in this process, with the registry `models` in the folder. */
  run(...argv: string[]): Promise<CommandResult>;
  /** Like `run`, with further environment variables. */
  runWith(env: Readonly<Record<string, string>>, ...argv: string[]): Promise<CommandResult>;
}

/** The command line, with a temporary folder for each test. */
export function useCliFolder(prefix: string, now?: () => Date): CliFolder {
  let path = '';
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), prefix));
  });
  afterEach(() => rm(path, { recursive: true, force: true }));
  async function runWith(
    env: Readonly<Record<string, string>>,
    ...argv: readonly string[]
  ): Promise<CommandResult> {
    let [out, err] = ['', ''];
    const code = await runCli(argv, {
      stdout: { write: (text) => (out += text) },
      stderr: { write: (text) => (err += text) },
      env: { MODELS_DIR: join(path, 'models'), ...env },
      ...(now !== undefined && { now }),
    });
    return { code, out, err };
  }
  return {
    get path() {
      return path;
    },
    run: (...argv) => runWith({}, ...argv),
    runWith,
  };
}
