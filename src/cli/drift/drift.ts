import { writeFile } from 'node:fs/promises';
import { RefusedError } from '../../errors.js';
import { type DriftColumn, listColumns } from '../../monitoring/drift/drift-column.js';
import { compareWithReference, minRows } from '../../monitoring/drift/drift-report.js';
import type { DriftSample } from '../../monitoring/drift/drift-sample.js';
import { untilSignalled } from '../../process/stop-signals.js';
import { explainNoReference, toColumnAnswer } from '../../schemas/drift.js';
import { runAtOnce } from '../../time/slices.js';
import { readTarget } from '../loading/load-one.js';
import { withVersion } from '../loading/with-version.js';
import { rangeHelp, readTimeRange } from '../logs/time-range.js';
import { type Args, type CliContext, type Command, UsageError } from '../terminal/command.js';
import { printable, toPrintableJson } from '../terminal/terminal-text.js';
import { toTable } from './drift-table.js';
import { readLoggedRows } from './logged-rows.js';
import { readReferenceFile } from './read-reference.js';

const maxRows = 10_000;

export const drift: Command = {
  summary: 'compares logged requests with the training data',
  help: `Usage: sardonyx drift LOG… --reference FILE [--model MODEL[@VERSION]]
       sardonyx drift LOG… --model MODEL[@VERSION]

Reads a prediction log (PREDICTION_LOG), draws at most ${maxRows.toLocaleString('en')} of its rows, and compares each column with the reference
that sardonyx profile has made. LOG is a file of JSON lines, compressed with gzip or not, or - for standard input;
several files are one log.

  --reference FILE          the reference; the model need not be on this machine
  --model MODEL[@VERSION]   only predictions of this model or version; without --reference also its reference
  --threshold NUMBER        the adjusted p-value below which a column has drifted (0.05)
${rangeHelp}
  --json                    prints the report as JSON
  --out FILE                also writes the report to a file, as JSON
  --models DIR              folder of the models (MODELS_DIR, else models)

The exit code is 0 without drift, 1 with drift or if there is nothing to compare, and 2 for wrong usage.
`,
  options: {
    reference: { type: 'string' },
    model: { type: 'string' },
    threshold: { type: 'string' },
    since: { type: 'string' },
    until: { type: 'string' },
    json: { type: 'boolean' },
    out: { type: 'string' },
    models: { type: 'string' },
  },
  maxPositionals: 10_000,
  async run(args, context) {
    if (args.positionals.length === 0) throw new UsageError('the log is missing: name its files');
    const threshold = readThreshold(args);
    const range = readTimeRange(args);
    const { columns, rows: referenceRows, filter: named } = await readExpected(args, context);
    const filter = { ...named, ...range };
    if (columns.length === 0) throw new RefusedError('the reference describes no column');
    const { sample, leftOut, redacted } = await untilSignalled(
      (signal) => readLoggedRows(args.positionals, columns, filter, maxRows, context.stdin, signal),
      { isWhole: () => true },
    );
    for (const [reason, count] of leftOut) context.stderr.write(`sardonyx: ${count} left out: ${reason}\n`);
    const shown = columns.filter((it) => !isRedacted(it, redacted));
    const hidden = columns.filter((it) => !shown.includes(it)).map(({ name }) => printable(name, 64));
    if (hidden.length > 0)
      context.stderr.write(
        `sardonyx: the log omits, hashes or masks features, which are not compared: ${hidden.join(', ')}\n`,
      );
    const rows = sample?.rows ?? 0;
    if (sample === undefined || rows < minRows)
      throw new RefusedError(`the log has ${rows} rows to compare, and at least ${minRows} are needed`);
    if (shown.length === 0) throw new RefusedError('the log hides every column of the reference');
    const kept = keepColumns(sample, columns, shown);
    const report = runAtOnce(compareWithReference(shown, kept, { referenceRows, threshold }));
    const drifted = report.columns.filter((it) => it.drifted.length > 0);
    const [out, isJson] = [args.text('out'), args.flag('json')];
    if (out !== undefined || isJson) {
      const partOf = (place: string) =>
        Object.fromEntries(
          report.columns.filter((it) => it.place === place).map((it) => [it.name, toColumnAnswer(it, false)]),
        );
      const answer = {
        drift: drifted.length > 0,
        threshold,
        rows,
        seen_rows: sample.seen,
        features: partOf('features'),
        outputs: partOf('outputs'),
        incomparable: report.incomparable.map(({ name }) => name),
      };
      const text = `${toPrintableJson(answer)}\n`;
      if (out !== undefined) await writeFile(out, text);
      if (isJson) context.stdout.write(text);
    }
    if (!isJson) {
      context.stdout.write(toTable(report.columns));
      const of = sample.seen > rows ? ` drawn from ${sample.seen}` : '';
      const verdict =
        drifted.length === 0 ? 'no drift' : `drift in ${drifted.length} of ${report.columns.length} columns`;
      context.stdout.write(`${verdict}: ${rows} rows${of}\n`);
    }
    return drifted.length === 0 ? 0 : 1;
  },
};

function isRedacted({ place, name }: DriftColumn, redacted: ReadonlySet<string>): boolean {
  return place === 'features' && redacted.has(name);
}

/** The sample with some of its columns, in the same order. */
function keepColumns(
  { values, ...sample }: DriftSample,
  all: readonly DriftColumn[],
  kept: readonly DriftColumn[],
): DriftSample {
  const places = kept.map((it) => all.indexOf(it));
  const own = new Float64Array(sample.rows * kept.length);
  for (let row = 0; row < sample.rows; row += 1) {
    for (const [k, place] of places.entries())
      own[row * kept.length + k] = values[row * all.length + place] as number;
  }
  return { ...sample, values: own };
}

async function readExpected(args: Args, { env }: CliContext) {
  const [file, named] = [args.text('reference'), args.text('model')];
  const target = named === undefined ? undefined : readTarget(named);
  if (file !== undefined) {
    const filter = { model: target?.model, version: target?.version };
    return { ...(await readReferenceFile(file)), filter };
  }
  if (target === undefined) throw new UsageError('--reference or --model is missing');
  const root = args.text('models') ?? env['MODELS_DIR'] ?? 'models';
  return await withVersion(env, root, target, async (loaded) => {
    const { manifest, reference, name: model, version } = loaded;
    const filter = { model, version };
    if (reference === undefined) throw new RefusedError(explainNoReference(loaded));
    return { columns: listColumns(manifest, reference).columns, rows: reference.rows, filter };
  });
}

function readThreshold(args: Args): number {
  const text = args.text('threshold') ?? '0.05';
  const threshold = /^(\d+\.?\d*|\.\d+)(e-?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
  if (!(threshold >= 0 && threshold <= 1))
    throw new UsageError(`--threshold must be a number from 0 to 1, got ${JSON.stringify(text)}`);
  return threshold;
}
