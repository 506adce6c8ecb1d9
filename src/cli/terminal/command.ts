import { type ParseArgsConfig, parseArgs } from 'node:util';
import { messageOf } from '../../errors.js';
import { didYouMean, nearestNames } from '../../text/did-you-mean.js';

type ParseArgsOptionsConfig = NonNullable<ParseArgsConfig['options']>;

/** Where a command reads and writes: the process's own, or a test's. */
export interface CliContext {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  /** The environment: `serve` adds to it what a file of settings has. */
  readonly env: Record<string, string | undefined>;
  readonly stdin?: AsyncIterable<Uint8Array | string>;
  readonly now?: () => Date;
}

export interface Command {
  /** What it does, in a line. */
  readonly summary: string;
  /** The whole text of `--help`. */
  readonly help: string;
  readonly options: ParseArgsOptionsConfig;
  /** Most arguments beside the options. */
  readonly maxPositionals: number;
  /** Gives the exit code. */
  run(args: Args, context: CliContext): Promise<number>;
}

/** The arguments of a command, read by the kind of each option. */
export interface Args {
  readonly positionals: readonly string[];
  text(name: string): string | undefined;
  flag(name: string): boolean;
  /** A list with commas between; undefined where the option is not there. */
  list(name: string): readonly string[] | undefined;
}

/** A wrong way to call a command: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Reads the arguments of a command. Throws `UsageError`, with what was perhaps meant. */
export function parseCommand(
  argv: readonly string[],
  command: Pick<Command, 'options' | 'maxPositionals'>,
): Args {
  const { values, positionals } = parseOrExplain(argv, command.options);
  const extra = positionals[command.maxPositionals];
  if (extra !== undefined) throw new UsageError(`${JSON.stringify(extra)} is one argument too many`);
  const text = (name: string) => {
    const value = values[name];
    if (value === '') throw new UsageError(`--${name} needs a value`);
    return typeof value === 'string' ? value : undefined;
  };
  return {
    positionals,
    text,
    flag: (name) => values[name] === true,
    list(name) {
      const items = text(name)
        ?.split(',')
        .map((item) => item.trim());
      if (items?.includes('')) throw new UsageError(`--${name} has an empty name in it`);
      const twice = items?.find((item, index) => items.indexOf(item) !== index);
      if (twice !== undefined) throw new UsageError(`--${name} names ${twice} twice`);
      return items;
    },
  };
}

function parseOrExplain(argv: readonly string[], options: ParseArgsOptionsConfig) {
  try {
    return parseArgs({ args: joinNegatives(argv, options), options, allowPositionals: true });
  } catch (error) {
    const message = messageOf(error);
    const unknown = /^Unknown option '(-+)([^']*)'/.exec(message);
    if (unknown === null) throw new UsageError(message.split(/\.\s/)[0] ?? message, { cause: error });
    const name = unknown[2] ?? '';
    throw new UsageError(
      `${unknown[1]}${name} is not an option${suggest(name, Object.keys(options), '--')}`,
      { cause: error },
    );
  }
}

/** `--classes -1,1` means the list: parseArgs would ask for `--classes=-1,1`. */
function joinNegatives(argv: readonly string[], options: ParseArgsOptionsConfig): string[] {
  const joined: string[] = [];
  for (const argument of argv) {
    const before = joined.at(-1) ?? '';
    const isOpen = before.startsWith('--') && options[before.slice(2)]?.type === 'string';
    if (isOpen && /^-\d/.test(argument)) joined[joined.length - 1] = `${before}=${argument}`;
    else joined.push(argument);
  }
  return joined;
}

/** `; did you mean --models?`, or nothing. */
export function suggest(name: string, known: readonly string[], prefix = ''): string {
  return didYouMean(nearestNames(name, known, 2).map((it) => prefix + it));
}
