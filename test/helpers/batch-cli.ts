import { batch } from '../../src/cli/batch/batch.js';
import { readPlan } from '../../src/cli/batch/plan/batch-plan.js';
import { runBatch } from '../../src/cli/batch/run-batch.js';
import { loadOne } from '../../src/cli/loading/load-one.js';
import { runCli } from '../../src/cli/run-cli.js';
import { parseCommand } from '../../src/cli/terminal/command.js';

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

/** Runs a batch of `line@1` that is interrupted, as by Ctrl-C, after some calls of the model or some checks of rows. */
export async function runBatchUntil(
  models: string,
  calls: number,
  argv: readonly string[],
  counted: 'calls' | 'checks' = 'calls',
) {
  const target = { model: 'line', version: '1' };
  const { registry, close } = await loadOne({}, models, target, new AbortController().signal);
  const loaded = registry.lease('line', '1');
  const controller = new AbortController();
  let left = calls;
  const count = (what: typeof counted): void => {
    if (what === counted) left -= 1;
    if (left === 0) controller.abort();
  };
  const task: typeof loaded.task = {
    ...loaded.task,
    check(body) {
      count('checks');
      return loaded.task.check(body);
    },
    answerEach(requests, call) {
      count('calls');
      return loaded.task.answerEach(requests, call);
    },
  };
  const observed = Object.create(loaded, { task: { value: task } });
  let err = '';
  const context = {
    stdout: { write: () => true },
    stderr: { write: (text: string) => (err += text) },
    env: {},
  };
  try {
    const plan = readPlan(parseCommand(argv, batch));
    return { code: await runBatch(plan, context, observed, controller.signal), err };
  } finally {
    loaded.release();
    close();
  }
}

/** The values of a file of newline-delimited JSON. */
export const parseLines = (text: string | Buffer) =>
  String(text)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
