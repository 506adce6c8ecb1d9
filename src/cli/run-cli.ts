import { messageOf, RefusedError, ServiceError } from '../errors.js';
import { GraphError } from '../inference/onnx/read-graph.js';
import { serverVersion } from '../version.js';
import { add } from './add.js';
import { batch } from './batch/batch.js';
import { check } from './check.js';
import { drift } from './drift/drift.js';
import { inspect } from './inspect.js';
import { keys } from './keys/keys.js';
import { predict } from './predict.js';
import { profile } from './profile/profile.js';
import { replay } from './replay/replay.js';
import { serve } from './serve.js';
import { type CliContext, type Command, parseCommand, suggest, UsageError } from './terminal/command.js';
import { printable } from './terminal/terminal-text.js';
import { worker } from './worker.js';

const commands: Readonly<Record<string, Command>> = {
  serve,
  worker,
  check,
  add,
  predict,
  batch,
  replay,
  profile,
  drift,
  inspect,
  keys,
};

const overview = `Sardonyx serves ONNX models as JSON over HTTP.

Usage: sardonyx COMMAND …

${Object.entries(commands)
  .map(([name, { summary }]) => `  ${name.padEnd(9)}${summary}`)
  .join('\n')}

  sardonyx COMMAND --help   shows the options of a command
  sardonyx --version
`;

/** Returns the exit code: 0, 1 for a failure, 2 for wrong usage. Never throws. */
export async function runCli(argv: readonly string[], context: CliContext): Promise<number> {
  try {
    return await dispatch(argv, context);
  } catch (error) {
    for (const line of describeFailure(error)) context.stderr.write(`${line}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
}

async function dispatch(argv: readonly string[], context: CliContext): Promise<number> {
  const [name, ...rest] = argv;
  if (name === '--version' || name === '-v') return print(context, `${serverVersion}\n`);
  if (name === '--help' || name === '-h' || (name === 'help' && rest.length === 0))
    return print(context, overview);
  if (name === 'help') return dispatch([...rest, '--help'], context);
  if (name === undefined) throw new UsageError('a command is missing: sardonyx --help lists them');
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    const hint = suggest(name, Object.keys(commands)) || ': sardonyx --help lists them';
    throw new UsageError(`${printable(name)} is not a command${hint}`);
  }
  const beforeEnd = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest;
  if (beforeEnd.includes('--help') || beforeEnd.includes('-h')) return print(context, command.help);
  try {
    return await command.run(parseCommand(rest, command), context);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${error.message} (sardonyx ${name} --help)`, { cause: error });
  }
}

function print(context: CliContext, text: string): number {
  context.stdout.write(text);
  return 0;
}

/** The failure, then one line for each problem of a body. */
function describeFailure(error: unknown): readonly string[] {
  if (error instanceof ServiceError) {
    const { code, cause, problems = [] } = error;
    const reason = code === 'run_failed' && cause !== undefined ? `: ${messageOf(cause)}` : '';
    const lines = problems.map(({ pointer, message }) => printable(`${pointer || '/'} ${message}`));
    return [`sardonyx: ${printable(`${titleOf(error)}${reason}`)}`, ...lines];
  }
  const prefix = error instanceof GraphError ? 'the model ' : '';
  return [`sardonyx: ${prefix}${printable(describeError(error))}`];
}

function titleOf({ code, detail, message }: ServiceError): string {
  return code === 'invalid_input' ? `the input does not fit the model: ${detail}` : message;
}

function describeError(error: unknown): string {
  if (error instanceof RefusedError || !(error instanceof Error)) return messageOf(error);
  const { code, path } = error as NodeJS.ErrnoException;
  if (code === undefined || path === undefined) return error.message;
  return code === 'ENOENT' ? `${path} is not there` : `${path} cannot be used (${code})`;
}
