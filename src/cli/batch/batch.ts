import { nameModels } from '../loading/load-one.js';
import { stopped, withVersion } from '../loading/with-version.js';
import { type Command, UsageError } from '../terminal/command.js';
import { readPlan } from './plan/batch-plan.js';

export const batch: Command = {
  summary: 'predicts the rows of a file without a server',
  help: `Usage: sardonyx batch FILE --model MODEL[@VERSION] [--out FILE]

Predicts each row of a file: .ndjson or .jsonl, .csv, .parquet, and .gz of the first two. A row that fails costs no
other row its answer. FILE may be - for standard input. Without --out the rows go to standard output as NDJSON.

  --model MODEL[@VERSION]   the model; VERSION may be an alias or latest
  --out FILE                the output; its suffix is its format; - is standard output
  --format FORMAT           the format of the input: ndjson, csv, parquet, ndjson.gz, csv.gz
  --to FORMAT               the format of the output
  --keep                    carries columns that are no features over to the output
  --keep-all                carries all columns over to the output
  --force                   replaces the output if it is there
  --restart                 begins anew, instead of where an earlier run stopped
  --quiet                   shows no progress
  --models DIR              folder of the models (MODELS_DIR, else models)

While it runs, the output is FILE.part. If a run is stopped, by Ctrl-C or in any other way, the same command goes on.
The exit code is 0 if all rows have answers, 1 if a row or the run has failed, and 2 for wrong usage.
`,
  options: {
    model: { type: 'string' },
    out: { type: 'string' },
    format: { type: 'string' },
    to: { type: 'string' },
    keep: { type: 'boolean' },
    'keep-all': { type: 'boolean' },
    force: { type: 'boolean' },
    restart: { type: 'boolean' },
    quiet: { type: 'boolean' },
    models: { type: 'string' },
  },
  maxPositionals: 1,
  async run(args, context) {
    const root = args.text('models') ?? context.env['MODELS_DIR'] ?? 'models';
    if (args.positionals.length > 0 && args.text('model') === undefined)
      throw new UsageError(`--model is missing${await nameModels(root)}`);
    const plan = readPlan(args);
    // Not imported above: other commands would load the Parquet packages.
    const { runBatch } = await import('./run-batch.js');
    const code = await withVersion(context.env, root, plan.target, (loaded, signal) =>
      runBatch(plan, context, loaded, signal),
    );
    return code === stopped ? 130 : code;
  },
};
