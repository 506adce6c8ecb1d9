import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { codeOf } from '../errors.js';
import type { ModelGraph } from '../inference/onnx/read-graph.js';
import { readServedGraph } from '../inference/onnx/served-graph.js';
import { ColumnsError } from '../models/binding/several-columns.js';
import { parseGolden } from '../models/examples/golden.js';
import { nextVersion } from '../models/proposal/next-version.js';
import { type Proposal, type ProposalRequest, proposeManifest } from '../models/proposal/propose-manifest.js';
import { writeVersion } from '../models/proposal/write-version.js';
import { type Listing, listDirectory } from '../models/registry/directory.js';
import { untilSignalled } from '../process/stop-signals.js';
import { describeDefault, setDefault } from './add-default.js';
import { type AdditionPlace, describeAddition } from './add-report.js';
import {
  checkNames,
  chooseName,
  readCompanions,
  readGiven,
  readTask,
  tasks,
  textOf,
  toClass,
  toUniform,
} from './add-request.js';
import { readModelFile } from './inspect.js';
import { createCliLoader } from './loading/loader.js';
import { type CliContext, type Command, UsageError } from './terminal/command.js';

const outputOptions = ['label', 'probabilities', 'value'] as const;

export const add: Command = {
  summary: 'adds a model file as a version, with a manifest proposed from its graph',
  help: `Usage: sardonyx add MODEL.onnx --name NAME [OPTION …]

Writes MODEL.onnx, its external weights and a proposed manifest as a new version. Loads the version first: if it does
not load, nothing is written.

  --name NAME        name of the model
  --version V        name of the version (the next number or patch, else the time as YYYYMMDD_HHMMSS)
  --task TASK        ${tasks.join(', ')} (guessed from the graph)
  --features a,b,c   names of the columns, in the order of training
  --classes x,y      names of the classes, in the order of the probabilities
  --label NAME, --probabilities NAME, --value NAME
                     the output with this role, if the graph has several candidates
  --names x,y        names of the columns of a regression with several columns
  --golden FILE      rows with the answers of training, which the version must give
  --reference FILE   profile of the training data, for drift
  --manifest FILE    metadata.json whose keys override the proposal
  --default          makes the version the default of the model
  --models DIR       folder of the models (MODELS_DIR, else models)
`,
  options: {
    ...Object.fromEntries(
      [
        'name',
        'version',
        'task',
        'features',
        'classes',
        ...outputOptions,
        'names',
        'golden',
        'reference',
        'manifest',
        'models',
      ].map((name) => [name, { type: 'string' }] as const),
    ),
    default: { type: 'boolean' },
  },
  maxPositionals: 1,
  async run(args, { stdout, env, now = () => new Date() }) {
    const [path] = args.positionals;
    if (path === undefined) throw new UsageError('the model file is missing');
    const task = readTask(args);
    const features = args.list('features');
    const classes = args.list('classes')?.map(toClass);
    const root = args.text('models') ?? env['MODELS_DIR'] ?? 'models';
    const given = await readGiven(args.text('manifest'));
    const name = chooseName(args, given);
    const listing = await listOrNothing(root);
    const listed = listing.models.find((it) => it.name === name);
    const existing = listed?.versions.map((it) => it.name) ?? [];
    const time = now();
    const version = args.text('version') ?? textOf(given, 'version') ?? nextVersion(existing, time);
    checkNames(name, version, listing);
    const companions = await readCompanions(args);
    const instances = companions['golden.json'] && parseGolden(companions['golden.json']).instances;

    const model = await readModelFile(path);
    const { label, probabilities, value } = Object.fromEntries(
      outputOptions.map((option) => [option, args.text(option)]),
    );
    const names = args.list('names');
    const request: ProposalRequest = {
      name,
      version,
      timestamp: time.toISOString().replace(/\.\d+Z$/, 'Z'),
      given,
      outputs: {
        ...(label !== undefined && { label }),
        ...(probabilities !== undefined && { probabilities }),
        ...(value !== undefined && { value }),
      },
      ...(task !== undefined && { task }),
      ...(features !== undefined && { features }),
      ...(classes !== undefined && { classes: toUniform(classes) }),
      ...(names !== undefined && { names }),
      ...(instances !== undefined && { instances }),
    };
    const place = {
      root,
      existing,
      port: env['PORT'] || '8000',
      hasModelsOption: args.text('models') !== undefined,
      program: env['npm_lifecycle_event'] === 'npx' ? 'npx sardonyx' : 'sardonyx',
    };
    const served = readServedGraph(model);
    let draft: string | undefined;
    const write = (signal: AbortSignal) =>
      proposeUntilSound(served.graph, async (graph, columnNotes) => {
        const found = proposeManifest(graph, served.model, request);
        const proposal = { ...found, notes: [...found.notes, ...columnNotes] };
        const parts = {
          ...{ root, manifest: proposal.manifest, model, companions, signal },
          weights: graph.externalData,
          weightsFolder: dirname(path),
          onDraft(folder: string) {
            draft = folder;
          },
        };
        return writeVersion(parts, (folder) => prove(folder, proposal, place, env, signal));
      });
    const report = await untilSignalled(write, {
      lastResort: () => draft && rmSync(draft, { recursive: true, force: true }),
    });
    stdout.write(report);
    const { aliases = new Map(), problem } = listed?.aliases ?? {};
    const addition = { root, name, version, existing, aliases, aliasProblem: problem };
    stdout.write(args.flag('default') ? await setDefault(addition) : describeDefault(addition));
    return 0;
  },
};

/** Loads a draft of a version, and describes it. */
async function prove(
  folder: string,
  proposal: Proposal,
  place: AdditionPlace,
  env: CliContext['env'],
  signal: AbortSignal,
): Promise<string> {
  const { name, version } = proposal.manifest;
  const loader = createCliLoader(env);
  signal.addEventListener('abort', () => loader.close());
  try {
    const loaded = await loader.load(folder, name, version);
    try {
      return await describeAddition(loaded, proposal, place);
    } finally {
      loaded.retire();
    }
  } finally {
    loader.close();
  }
}

/**
 * Tries a proposal. If a run gives another number of columns for an output than the graph declares, tries again with
 * that number, once per output: the declared shape is often a guess of the exporter.
 */
async function proposeUntilSound<T>(
  declared: ModelGraph,
  attempt: (graph: ModelGraph, notes: readonly string[]) => Promise<T>,
): Promise<T> {
  let graph = declared;
  const notes = new Map<string, string>();
  for (;;) {
    try {
      return await attempt(graph, [...notes.values()]);
    } catch (error) {
      if (!(error instanceof ColumnsError) || notes.has(error.output)) throw error;
      const { output, columns } = error;
      graph = {
        ...graph,
        outputs: graph.outputs.map((it) =>
          it.name === output ? { ...it, shape: [it.shape?.[0], columns] } : it,
        ),
      };
      notes.set(
        output,
        `a run gives ${columns} columns of ${output}, although the graph declares another number`,
      );
    }
  }
}

/** An empty listing if the folder of the models does not exist yet. */
async function listOrNothing(root: string): Promise<Listing> {
  return listDirectory(root).catch((error) => {
    if (codeOf(error) === 'ENOENT') return { models: [], aliases: { aliases: new Map() }, skipped: [] };
    throw error;
  });
}
