import { writeFile } from 'node:fs/promises';
import { nameModels } from '../loading/load-one.js';
import { stopped, withVersion } from '../loading/with-version.js';
import { rangeHelp } from '../logs/time-range.js';
import { type Command, UsageError } from '../terminal/command.js';
import { toPrintableJson } from '../terminal/terminal-text.js';
import { readPlan } from './replay-plan.js';
import { toText } from './replay-report.js';
import { runReplay } from './run-replay.js';

export const replay: Command = {
  summary: 'runs logged requests through another version, and compares',
  help: `Usage: sardonyx replay LOG… --model MODEL --candidate VERSION

Reads the requests of a prediction log (PREDICTION_LOG), runs them through a version of the model, and compares its
answers with the logged ones. LOG is a file of JSON lines, compressed with gzip or not, or - for standard input; several
files are one log.

  --model MODEL             the model
  --candidate VERSION       the version that is judged; an alias or latest is possible
  --baseline VERSION        compares only with answers of this version
  --max-disagreement SHARE  the share of rows that may change, from 0 to 1 (0.01)
  --tolerance NUMBER        a regression may differ by this times max(1, |old|) (0.00001)
  --limit N                 replays the first N rows only
${rangeHelp}
  --json                    prints the report as JSON
  --out FILE                also writes the report to a file, as JSON
  --models DIR              folder of the models (MODELS_DIR, else models)

The exit code is 0 if at most the given share of rows has changed, 1 if more have or nothing could be replayed, and 2
for wrong usage. A row that the candidate does not answer has changed.
`,
  options: {
    model: { type: 'string' },
    candidate: { type: 'string' },
    baseline: { type: 'string' },
    'max-disagreement': { type: 'string' },
    tolerance: { type: 'string' },
    limit: { type: 'string' },
    since: { type: 'string' },
    until: { type: 'string' },
    json: { type: 'boolean' },
    out: { type: 'string' },
    models: { type: 'string' },
  },
  maxPositionals: 10_000,
  async run(args, context) {
    const { stdout, env } = context;
    const root = args.text('models') ?? env['MODELS_DIR'] ?? 'models';
    if (args.positionals.length > 0 && args.text('model') === undefined)
      throw new UsageError(`--model is missing${await nameModels(root)}`);
    const plan = readPlan(args);
    const target = { model: plan.model, version: plan.candidate };
    const report = await withVersion(env, root, target, (loaded, signal, registry) => {
      const aliases = registry.list().find(({ name }) => name === loaded.name)?.aliases;
      const baseline = plan.baseline && (aliases?.get(plan.baseline) ?? plan.baseline);
      return runReplay(plan, loaded, baseline, context, signal);
    });
    if (report === stopped) return 130;
    const json = `${toPrintableJson(report)}\n`;
    const out = args.text('out');
    if (out !== undefined) await writeFile(out, json);
    stdout.write(args.flag('json') ? json : toText(report));
    return report.passed ? 0 : 1;
  },
};
