import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { messageOf, RefusedError } from '../errors.js';
import type { Registry } from '../models/registry/registry.js';
import { createPredictions } from '../prediction-event.js';
import { createPredictor } from '../predictor.js';
import { untilSignalled } from '../process/stop-signals.js';
import { explainUnavailable, loadOne, readTarget } from './loading/load-one.js';
import { type CliContext, type Command, UsageError } from './terminal/command.js';
import { escapeJson, toPrintableJson } from './terminal/terminal-text.js';

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
    const { model, version } = readTarget(target);
    const root = args.text('models') ?? context.env['MODELS_DIR'] ?? 'models';
    const { registry, close } = await untilSignalled((signal) =>
      loadOne(context.env, root, { model, version }, signal),
    );
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
      throw explainUnavailable(error, registry, model);
    } finally {
      close();
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
