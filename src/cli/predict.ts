import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { messageOf, RefusedError, ServiceError } from '../errors.js';
import type { Loader } from '../models/loading/loader.js';
import { listDirectory } from '../models/registry/directory.js';
import { Registry } from '../models/registry/registry.js';
import { createPredictions } from '../prediction-event.js';
import { createPredictor } from '../predictor.js';
import { untilSignalled } from '../process/stop-signals.js';
import { createCliLoader } from './loader.js';
import { type CliContext, type Command, UsageError } from './terminal/command.js';
import { escapeJson, toPrintableJson } from './terminal/terminal-text.js';

const notRequested = 'not requested';

export const predict: Command = {
  summary: 'answers one request without a server',
  help: `Usage: sardonyx predict MODEL[@VERSION] JSON|@FILE|- [--models DIR] [--pretty]
       sardonyx predict MODEL[@VERSION] --example

Loads one model and prints its answer, as the server does. The body is JSON, a file (@FILE) or standard input (-).
VERSION may be an alias or latest.

  --example      uses the model's example as the body, and prints body and answer
  --pretty       prints the answer on several lines
  --models DIR   folder of the models (MODELS_DIR, else models)
`,
  options: { models: { type: 'string' }, pretty: { type: 'boolean' }, example: { type: 'boolean' } },
  maxPositionals: 2,
  async run(args, context) {
    const [target, source] = args.positionals;
    if (target === undefined) throw new UsageError('the model is missing');
    const isExample = args.flag('example');
    if (!isExample && source === undefined)
      throw new UsageError('the body is missing: JSON, @FILE, - or --example');
    const given = source === undefined ? undefined : await readBody(source, context);
    const at = target.indexOf('@');
    const [model, version] = at < 0 ? [target, undefined] : [target.slice(0, at), target.slice(at + 1)];
    const loader = createCliLoader(context.env);
    const root = args.text('models') ?? context.env['MODELS_DIR'] ?? 'models';
    const registry = await untilSignalled((signal) => {
      signal.addEventListener('abort', () => loader.close());
      return loadOne(loader, root, model, version);
    });
    try {
      const body = isExample ? exampleOf(registry, model, version) : given;
      if (isExample) context.stdout.write(`${escapeJson(JSON.stringify(body))}\n`);
      const predictor = createPredictor(
        registry,
        createPredictions(() => undefined),
      );
      const asked = { model, ...(version !== undefined && { version }) };
      const caller = { arrivedAt: performance.now() };
      const { text } = await predictor.predict({ ...asked, requestId: randomUUID(), caller }, body);
      context.stdout.write(`${args.flag('pretty') ? toPrintableJson(JSON.parse(text)) : escapeJson(text)}\n`);
      return 0;
    } catch (error) {
      throw withReasons(error, registry, model);
    } finally {
      registry.close();
      loader.close();
    }
  },
};

async function readBody(source: string, { stdin }: CliContext): Promise<unknown> {
  let text = source;
  if (source.startsWith('@')) text = await readFile(source.slice(1), 'utf8');
  else if (source === '-') {
    const chunks: Uint8Array[] = [];
    for await (const chunk of stdin ?? []) chunks.push(Buffer.from(chunk));
    text = Buffer.concat(chunks).toString('utf8');
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RefusedError(`the body is not valid JSON: ${messageOf(cause)}`, { cause });
  }
}

/** A registry that lists all versions, as routing needs, but loads only those that the request can mean. */
async function loadOne(
  loader: Loader,
  root: string,
  model: string,
  version: string | undefined,
): Promise<Registry> {
  const listing = await listDirectory(root);
  const name = listing.aliases.aliases.get(model) ?? model;
  const listed = listing.models.find((it) => it.name === name);
  const aliases = listed?.aliases.aliases;
  const selected = version === undefined ? aliases?.get('default') : (aliases?.get(version) ?? version);
  const isOne = selected !== undefined && selected !== 'latest';
  const registry = new Registry({
    async load(path, ofModel, ofVersion) {
      if (ofModel !== name || (isOne && ofVersion !== selected)) throw new RefusedError(notRequested);
      return loader.load(path, ofModel, ofVersion);
    },
  });
  await registry.apply(listing);
  return registry;
}

function exampleOf(registry: Registry, model: string, version: string | undefined): unknown {
  const loaded = registry.lease(model, version);
  try {
    const { example, exampleProblem } = loaded.task;
    if (exampleProblem === undefined) return example;
    throw new RefusedError(`the model has no example that gets an answer (${exampleProblem}): give a body`);
  } finally {
    loaded.release();
  }
}

/** Adds the reasons of refused versions to the error, in place of the address that a server would name. */
function withReasons(error: unknown, registry: Registry, model: string): unknown {
  if (!(error instanceof ServiceError) || error.code !== 'model_unavailable') return error;
  const states = registry.list().find((it) => it.name === model)?.versions ?? new Map();
  const reasons: string[] = [];
  for (const [name, state] of states) {
    if (state.state === 'refused' && state.reason !== notRequested)
      reasons.push(`${name} is refused: ${state.reason}`);
  }
  const sentences = (error.detail ?? error.message).replace(/ GET \S+ says why\./, '');
  return new RefusedError([sentences, ...reasons].join(' '));
}
