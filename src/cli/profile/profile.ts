import { writeFile } from 'node:fs/promises';
import { minRows } from '../../monitoring/drift/drift-report.js';
import { formatOf, parseFormat } from '../batch/plan/file-format.js';
import { nameModels, readTarget } from '../loading/load-one.js';
import { stopped, withVersion } from '../loading/with-version.js';
import { type Args, type Command, UsageError } from '../terminal/command.js';

export const profile: Command = {
  summary: 'makes reference.json of training data, for drift',
  help: `Usage: sardonyx profile FILE --model MODEL[@VERSION] [--out reference.json]

Describes the columns of a file, such as the training data, and the answers of the model to its rows. The server compares
recent requests with it: GET /models/MODEL/drift. FILE is .ndjson, .jsonl, .csv or .parquet, or .gz of the first three, or
- for standard input. Columns that are no features are ignored.

  --model MODEL[@VERSION]  the model; VERSION may be an alias or latest
  --out FILE               the output; without it, standard output
  --format FORMAT          the format of the input: ndjson, csv, parquet, ndjson.gz, csv.gz
  --models DIR             folder of the models (MODELS_DIR, else models)

A version is immutable: add the model again with the reference, as a new version.

  jq 'del(.version, .timestamp)' metadata.json > next.json
  sardonyx add model.onnx --manifest next.json --reference reference.json

The exit code is 1 if no row could be used.
`,
  options: {
    model: { type: 'string' },
    out: { type: 'string' },
    format: { type: 'string' },
    models: { type: 'string' },
  },
  maxPositionals: 1,
  async run(args, context) {
    const root = args.text('models') ?? context.env['MODELS_DIR'] ?? 'models';
    const model = args.text('model');
    const plan = readSource(args);
    if (args.text('out') !== undefined && args.text('out') === plan.source)
      throw new UsageError('--out is the file of the training data: name another one');
    if (model === undefined) throw new UsageError(`--model is missing${await nameModels(root)}`);
    const target = readTarget(model);
    // Not imported above: other commands would load the Parquet packages.
    const { runProfile } = await import('./run-profile.js');
    const full = { ...plan, target, out: undefined, ...unused };
    const found = await withVersion(context.env, root, target, (loaded, signal) =>
      runProfile(full, loaded, context.stdin, signal),
    );
    if (found === stopped) return 130;
    const { reference, failed, firstFailure } = found;
    const { rows } = reference;
    if (failed > 0)
      context.stderr.write(`sardonyx: ${failed} of ${rows + failed} rows are left out: ${firstFailure}\n`);
    if (rows === 0) {
      context.stderr.write('sardonyx: no row could be used\n');
      return 1;
    }
    const out = args.text('out');
    if (rows < minRows)
      context.stderr.write(`sardonyx: drift is hardly found with so few rows: profile at least ${minRows}\n`);
    const text = `${JSON.stringify(reference)}\n`;
    if (out === undefined) context.stdout.write(text);
    else {
      await writeFile(out, text);
      context.stderr.write(
        `sardonyx: ${out} describes ${rows} ${rows === 1 ? 'row' : 'rows'}: add the model with it, as a new version: --reference ${out}\n`,
      );
    }
    return 0;
  },
};

/** What a run over the rows of a file needs beside them. */
const unused = {
  to: { table: 'ndjson', isPacked: false },
  keep: 'others',
  isQuiet: true,
  isForced: false,
  isRestart: false,
} as const;

function readSource(args: Args) {
  const [file] = args.positionals;
  if (file === undefined) throw new UsageError('the file is missing: a path, or - for standard input');
  const source = file === '-' ? undefined : file;
  const named = args.text('format');
  const from = named !== undefined ? parseFormat(named, 'format') : source && formatOf(source);
  if (from === undefined || from === '')
    throw new UsageError(`the format of ${file} is unknown: name it with --format ndjson, csv or parquet`);
  if (source === undefined && from.table === 'parquet')
    throw new UsageError('Parquet cannot be read from standard input: give a file');
  return { source, from };
}
