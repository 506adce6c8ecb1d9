import type { FastifyInstance } from 'fastify';
import type { StartSummary } from '../cluster/messages.js';
import type { Config } from '../config/read-config.js';
import { chooseVersion, defaultVersion, type ModelState } from '../models/registry/choose-version.js';
import { findMissingModels, findProblem } from '../models/registry/readiness.js';

/** What a person sees when the server is ready, however many processes it is. */
export function describeStart({ url, lines }: StartSummary, workers: number): string {
  const after = `after ${(process.uptime() * 1_000).toFixed(0)} ms`;
  const headline = `Sardonyx answers at ${url} ${after}${workers > 1 ? `, with ${workers} workers` : ''}`;
  return `\n${[headline, '', ...lines].join('\n')}\n\n`;
}

/** Where a server that listens is reached from its own machine. */
export function describeUrl(app: FastifyInstance, config: Config): string {
  const address = app.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : config.PORT;
  const host = ['0.0.0.0', '::'].includes(config.HOST) ? 'localhost' : config.HOST;
  const scheme = config.TLS_CERT_FILE === undefined ? 'http' : 'https';
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** What a server serves and where, what it does not and why, and a first request. */
export function summarizeStart(app: FastifyInstance, config: Config): StartSummary {
  const { registry } = app;
  const url = describeUrl(app, config);
  const models = registry.list();
  const missing = findMissingModels(registry, config.REQUIRED_MODELS);
  const lines = [
    ...(models.length === 0
      ? [`  No model lies in ${config.MODELS_DIR}. Add one: sardonyx add MODEL.onnx --name my-model`]
      : []),
    ...models.flatMap((model) => describeModel(model, missing)),
    ...(registry.aliasProblem === undefined ? [] : [`  ${registry.aliasProblem}`]),
    ...missing.map((reason) => `  Not ready: ${reason}`),
    '',
    ...(config.DOCS === 'on' ? [`  Manual   ${url}/docs`] : []),
    ...firstRequest(app, url),
  ];
  return { url, lines };
}

/** What a model serves and what it does not. Why nothing answers for it is left out where `missing` says it. */
function describeModel(model: ModelState, missing: readonly string[]): string[] {
  const fallback = defaultVersion(model);
  const served = [...model.versions]
    .filter(([, { state }]) => state === 'ready')
    .map(([name]) => (name === fallback ? `${name} (default)` : name));
  const nothing = `nothing: ${model.versions.size === 0 ? 'it has no version yet' : 'every version is refused'}`;
  const lines = [`  ${model.name.padEnd(16)} ${served.join(', ') || nothing}`];
  for (const [name, version] of model.versions) {
    if (version.state === 'refused') lines.push(`    refused ${name}: ${version.reason}`);
  }
  if (model.aliasProblem !== undefined) lines.push(`    ${model.aliasProblem}`);
  const problem = findProblem(model)?.reason;
  if (problem !== undefined && served.length > 0 && !missing.includes(`${model.name}: ${problem}`))
    lines.push(`    ${problem}`);
  return lines;
}

function firstRequest(app: FastifyInstance, url: string): string[] {
  for (const [path, model] of candidates(app)) {
    try {
      const { example, exampleProblem } = chooseVersion(model()).task;
      if (exampleProblem !== undefined) continue;
      const body = JSON.stringify(example).replaceAll("'", "'\\''");
      const key = app.needsKeys ? ' -H "x-api-key: $KEY"' : '';
      return [`  Try it   curl ${url}${path}${key} -H 'content-type: application/json' -d '${body}'`];
    } catch {
      // What has no default, or cannot answer, is no first request.
    }
  }
  return [];
}

function candidates({ registry }: FastifyInstance): [string, () => ModelState][] {
  const named = registry
    .list()
    .map((model): [string, () => ModelState] => [`/models/${model.name}/predict`, () => model]);
  return [['/predict', () => registry.findDefault()], ...named];
}
