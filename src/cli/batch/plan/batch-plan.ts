import { resolve } from 'node:path';
import { readTarget, type Target } from '../../loading/load-one.js';
import { type Args, UsageError } from '../../terminal/command.js';
import type { KeepMode } from '../rows/kept-members.js';
import { describeFormat, type FileFormat, formatOf, parseFormat } from './file-format.js';

/** What a run of `sardonyx batch` does. */
export interface BatchPlan {
  /** A path; undefined for standard input. */
  readonly source: string | undefined;
  readonly from: FileFormat;
  /** A path; undefined for standard output. */
  readonly out: string | undefined;
  readonly to: FileFormat;
  readonly target: Target;
  readonly keep: KeepMode;
  readonly isQuiet: boolean;
  readonly isForced: boolean;
  readonly isRestart: boolean;
}

/** Throws `UsageError`. */
export function readPlan(args: Args): BatchPlan {
  const [file] = args.positionals;
  if (file === undefined) throw new UsageError('the file is missing: a path, or - for standard input');
  const model = args.text('model');
  if (model === undefined) throw new UsageError('--model is missing');
  const named = args.text('out');
  const out = named === '-' ? undefined : named;
  const source = file === '-' ? undefined : file;
  const from = choose(args, 'format', source);
  if (from === undefined) {
    const why = source === undefined ? 'standard input has no suffix' : `the suffix of ${file} is unknown`;
    throw new UsageError(`${why}: name the format with --format ndjson, csv or parquet`);
  }
  if (source === undefined && from.table === 'parquet') {
    throw new UsageError('Parquet cannot be read from standard input: give a file');
  }
  const to = choose(args, 'to', out);
  if (to === undefined && out !== undefined) {
    throw new UsageError(`the suffix of ${out} is unknown: name the format with --to ndjson, csv or parquet`);
  }
  const isRestart = args.flag('restart');
  if (isRestart && out === undefined) throw new UsageError('--restart needs --out with a file');
  if (source !== undefined && out !== undefined && resolve(source) === resolve(out)) {
    throw new UsageError('--out names the input itself');
  }
  return {
    source,
    from,
    out,
    to: to ?? { table: 'ndjson', isPacked: false },
    target: readTarget(model),
    keep: args.flag('keep-all') ? 'all' : args.flag('keep') ? 'others' : undefined,
    isQuiet: args.flag('quiet'),
    isForced: args.flag('force'),
    isRestart,
  };
}

/** The options that must be equal for a run to go on where another one stopped. */
export function describeOptions({ from, to, keep }: BatchPlan): string {
  const kept = { all: ' --keep-all', others: ' --keep' };
  return `--format ${describeFormat(from)} --to ${describeFormat(to)}${keep === undefined ? '' : kept[keep]}`;
}

function choose(args: Args, option: string, path: string | undefined): FileFormat | undefined {
  const text = args.text(option);
  if (text !== undefined) return parseFormat(text, option);
  return path === undefined ? undefined : formatOf(path);
}
