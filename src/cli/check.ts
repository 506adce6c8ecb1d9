import { join } from 'node:path';
import { messageOf, RefusedError } from '../errors.js';
import { findAbandonedDrafts } from '../models/proposal/drafts.js';
import { type Listing, listDirectory } from '../models/registry/directory.js';
import { Registry } from '../models/registry/registry.js';
import { untilSignalled } from '../process/stop-signals.js';
import { type CheckReport, type ModelReport, reportOn } from './check-report.js';
import { createCliLoader } from './loading/loader.js';
import type { Command } from './terminal/command.js';
import { printable, toPrintableJson, toTable } from './terminal/terminal-text.js';

export const check: Command = {
  summary: 'loads every model as the server does, and reports faults',
  help: `Usage: sardonyx check [DIR] [--json]

Loads every version below DIR (MODELS_DIR, else models) and checks its golden rows. The exit code is 1 if a version is
refused, an alias names no ready version or model, a model has no default version, or a file or folder is skipped.

  --json   prints the report as JSON
`,
  options: { json: { type: 'boolean' } },
  maxPositionals: 1,
  async run(args, { stdout, stderr, env }) {
    const root = args.positionals[0] ?? env['MODELS_DIR'] ?? 'models';
    const defaultModel = env['DEFAULT_MODEL'] || undefined;
    const listing = await withDrafts(root, await listDirectory(root));
    const loader = createCliLoader(env);
    const registry = new Registry({
      load: loader.load,
      defaultModel,
      // Clients may read only the text of a `RefusedError`; the operator may read every error.
      onLoad: ({ model, version, error }) => {
        if (error === undefined || error instanceof RefusedError) return;
        stderr.write(`sardonyx: ${model}/${version}: ${printable(messageOf(error))}\n`);
      },
    });
    try {
      await untilSignalled((signal) => {
        signal.addEventListener('abort', () => loader.close());
        return registry.apply(listing);
      });
      const report = reportOn(root, listing, registry, findDefault(registry, defaultModel));
      stdout.write(args.flag('json') ? `${toPrintableJson(report)}\n` : toText(report));
      return report.faults.length === 0 ? 0 : 1;
    } finally {
      registry.close();
      loader.close();
    }
  },
};

/** Adds abandoned drafts of `add` commands to the listing. */
async function withDrafts(root: string, listing: Listing): Promise<Listing> {
  const skipped: string[] = [];
  for (const { name } of listing.models) {
    for (const draft of await findAbandonedDrafts(join(root, name))) {
      skipped.push(`${name}/${draft}: was left behind by an add command that did not finish: remove it`);
    }
  }
  return { ...listing, skipped: [...listing.skipped, ...skipped] };
}

/** The model that plain /predict means. It is a fault if DEFAULT_MODEL names one that does not exist. */
function findDefault(
  registry: Registry,
  named: string | undefined,
): { readonly name?: string; readonly problem?: string } {
  try {
    return { name: registry.findDefault().name };
  } catch (error) {
    return named === undefined ? {} : { problem: `DEFAULT_MODEL is ${named}: ${messageOf(error)}` };
  }
}

function toText(report: CheckReport): string {
  const rows = report.models.flatMap((model) => model.versions.map((version) => toRow(model, version)));
  const head = ['model', 'version', 'state', 'executor', 'load ms', 'run µs', 'golden rows', 'answers to'];
  const table = rows.length === 0 ? 'no version' : toTable([head, ...rows], [4, 5, 6]);
  const refused = report.models.flatMap(({ name, versions }) =>
    versions.flatMap((it) =>
      it.reason === undefined ? [] : [`${name}/${it.version} is refused: ${it.reason}`],
    ),
  );
  const others = report.faults.filter((fault) => !refused.includes(fault));
  const notes = report.models.flatMap(({ name, versions }) =>
    versions.flatMap((it) => (it.notes ?? []).map((note) => `note: ${name}/${it.version}: ${note}`)),
  );
  const sections = [
    table,
    notes.map((line) => printable(line)).join('\n'),
    [...refused, ...others].map((line) => printable(line)).join('\n'),
    report.defaultModel === undefined
      ? 'No model is the default of plain /predict.'
      : `Plain /predict means ${report.defaultModel}.`,
    report.faults.length === 0
      ? 'All is well.'
      : `${report.faults.length} fault${report.faults.length === 1 ? '' : 's'}.`,
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function toRow(model: ModelReport, version: ModelReport['versions'][number]): readonly string[] {
  const { loadStats } = version;
  return [
    model.name,
    version.version,
    version.state,
    version.executor ?? '',
    loadStats?.loadMs.toFixed(1) ?? '',
    loadStats?.runUs?.toFixed(0) ?? '',
    loadStats === undefined ? '' : String(loadStats.goldenRows),
    version.names.join(', '),
  ];
}
