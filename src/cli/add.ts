import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { readGraph } from '../inference/graph.js';
import { type Listing, listDirectory } from '../models/directory.js';
import { parseGolden } from '../models/golden.js';
import { codeOf } from '../models/regular-file.js';
import { nextVersion } from '../proposal/next-version.js';
import { proposeManifest } from '../proposal/propose-manifest.js';
import { writeVersion } from '../proposal/write-version.js';
import { untilSignalled } from '../stop-signals.js';
import { describeDefault, setDefault } from './add-default.js';
import { describeAddition } from './add-report.js';
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
import { type Command, UsageError } from './command.js';
import { readModelFile } from './inspect.js';
import { createCliLoader } from './loader.js';

export const add: Command = {
  summary: 'makes a version of a model file, with a manifest proposed from its graph',
  help: `Usage: sardonyx add MODEL.onnx --name NAME [OPTION …]

Writes MODEL.onnx, its external weights and a proposed manifest as a new version, after proving that it loads.

  --name NAME        the model's name
  --version V        the version's (the next number or patch, else the time as YYYYMMDD_HHMMSS)
  --task TASK        ${tasks.join(', ')} (guessed)
  --features a,b,c   the names of the columns, in the order of training
  --classes x,y      the names of the classes, in the order of the probabilities
  --golden FILE      rows with the answers of training, which the version must give
  --reference FILE   a profile of the training data, for drift
  --manifest FILE    a metadata.json whose keys win over the proposal
  --default          makes it the version that answers for the model
  --models DIR       the registry (MODELS_DIR, else models)
`,
  options: {
    ...Object.fromEntries(
      ['name', 'version', 'task', 'features', 'classes', 'golden', 'reference', 'manifest', 'models'].map(
        (name) => [name, { type: 'string' }] as const,
      ),
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
    const graph = readGraph(model);
    const proposal = proposeManifest(graph, model, {
      name,
      version,
      timestamp: time.toISOString().replace(/\.\d+Z$/, 'Z'),
      given,
      ...(task !== undefined && { task }),
      ...(features !== undefined && { features }),
      ...(classes !== undefined && { classes: toUniform(classes) }),
      ...(instances !== undefined && { instances }),
    });
    let draft: string | undefined;
    const parts = {
      root,
      manifest: proposal.manifest,
      model,
      companions,
      weights: graph.externalData,
      weightsFolder: dirname(path),
      onDraft(folder: string) {
        draft = folder;
      },
    };
    const prove = async (folder: string, signal: AbortSignal) => {
      const loader = createCliLoader(env);
      signal.addEventListener('abort', () => loader.close());
      try {
        const loaded = await loader.load(folder, name, version);
        try {
          return await describeAddition(loaded, proposal, {
            root,
            port: env['PORT'] || '8000',
            hasModelsOption: args.text('models') !== undefined,
          });
        } finally {
          loaded.retire();
        }
      } finally {
        loader.close();
      }
    };
    const report = await untilSignalled(
      (signal) => writeVersion({ ...parts, signal }, (folder) => prove(folder, signal)),
      () => draft && rmSync(draft, { recursive: true, force: true }),
    );
    stdout.write(report);
    const addition = { root, name, version, existing, aliases: listed?.aliases.aliases ?? new Map() };
    stdout.write(args.flag('default') ? await setDefault(addition) : describeDefault(addition));
    return 0;
  },
};

/** The registry may have no folder yet. */
async function listOrNothing(root: string): Promise<Listing> {
  return listDirectory(root).catch((error) => {
    if (codeOf(error) === 'ENOENT') return { models: [], aliases: { aliases: new Map() }, remarks: [] };
    throw error;
  });
}
