import { runCli } from '../../src/cli/run-cli.js';

export interface BatchResult {
  readonly code: number;
  readonly out: Buffer;
  readonly err: string;
}

/** Runs `sardonyx batch` in this process, with the models of a folder. */
export async function runBatchCommand(
  models: string,
  argv: readonly string[],
  stdin?: string | Buffer,
): Promise<BatchResult> {
  const out: Buffer[] = [];
  let err = '';
  const code = await runCli(['batch', ...argv, '--models', models], {
    stdout: { write: (bytes: string | Uint8Array) => out.push(Buffer.from(bytes)) },
    stderr: { write: (text) => (err += text) },
    env: {},
    ...(stdin !== undefined && {
      stdin: (async function* () {
        yield Buffer.from(stdin);
      })(),
    }),
  });
  return { code, out: Buffer.concat(out), err };
}

/** The values of a file of newline-delimited JSON. */
export const parseLines = (text: string | Buffer) =>
  String(text)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
