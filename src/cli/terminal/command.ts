import { type ParseArgsConfig, parseArgs } from 'node:util';
import { messageOf } from '../../errors.js';
import { didYouMean, nearestNames } from '../../text/did-you-mean.js';

type ParseArgsOptionsConfig = NonNullable<ParseArgsConfig['options']>;

export interface Output {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
  once?(event: 'drain', listener: () => void): unknown;
}

export interface CliContext {
  /** `write` returns false if the caller should wait for `drain`. */
  readonly stdout: Output & { write(bytes: Uint8Array): unknown };
  readonly stderr: Output;
  /** The environment, to which `serve` adds the settings of its file. */
  readonly env: Record<string, string | undefined>;
  readonly stdin?: AsyncIterable<Uint8Array | string>;
  readonly now?: () => Date;
}

export interface Command {
  /** One line, for the list of commands. */
  readonly summary: string;
  /** The whole text of `--help`. */
  readonly help: string;
  readonly options: ParseArgsOptionsConfig;
  readonly maxPositionals: number;
  /** Resolves with the exit code. */
  run(args: Args, context: CliContext): Promise<number>;
}

export interface Args {
  readonly positionals: readonly string[];
  text(name: string): string | undefined;
  flag(name: string): boolean;
  /** The items of a list with commas; undefined without the option. */
  list(name: string): readonly string[] | undefined;
}

/** A wrong use of a command: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Throws `UsageError`, with the nearest known option if there is one. */
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

/** Accepts `--classes -1,1`, which `parseArgs` accepts only as `--classes=-1,1`. */
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
  // Two letters that are swapped are a distance of 2, also in a name of four letters.
  const limit = name.length === 4 || name.length === 5 ? 2 : undefined;
  return didYouMean(nearestNames(name, known, 2, limit).map((it) => prefix + it));
}
