import type { FastifyInstance } from 'fastify';
import type { StartSummary } from '../cluster/messages.js';
import type { Config } from '../config/read-config.js';
import { chooseVersion, defaultVersion, type ModelState } from '../models/registry/choose-version.js';
import { findMissingModels, findProblem } from '../models/registry/readiness.js';

/** The start summary: printed to standard error once all models of all workers are loaded. */
export function describeStart({ url, lines }: StartSummary, workers: number): string {
  const after = `after ${(process.uptime() * 1_000).toFixed(0)} ms`;
  const headline = `Sardonyx answers at ${url} ${after}${workers > 1 ? `, with ${workers} workers` : ''}`;
  return `\n${[headline, '', ...lines].join('\n')}\n\n`;
}

export function describeUrl(app: FastifyInstance, config: Config): string {
  const address = app.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : config.PORT;
  const host = ['0.0.0.0', '::'].includes(config.HOST) ? 'localhost' : config.HOST;
  const scheme = config.TLS_CERT_FILE === undefined ? 'http' : 'https';
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Lists the served versions, the refused ones with their reasons, and a first request to try. */
export function summarizeStart(
  app: FastifyInstance,
  config: Config,
  role: 'server' | 'worker' = 'server',
): StartSummary {
  const { registry } = app;
  const url = describeUrl(app, config);
  const models = registry.list();
  const missing = findMissingModels(registry, config.REQUIRED_MODELS);
  const lines = [
    ...(models.length === 0
      ? [`  There is no model in ${config.MODELS_DIR}. Add one: sardonyx add MODEL.onnx --name my-model`]
      : []),
    ...models.flatMap((model) => describeModel(model, missing)),
    ...(registry.aliasProblem === undefined ? [] : [`  ${registry.aliasProblem}`]),
    ...missing.map((reason) => `  Not ready: ${reason}`),
    '',
    ...(role === 'worker'
      ? ['  It runs batch jobs, and answers no predictions.', `  Metrics  ${url}/metrics`]
      : []),
    ...(role === 'server' && config.CONSOLE === 'on' ? [`  Page     ${url}/`] : []),
    ...(role === 'server' && config.DOCS === 'on' ? [`  Manual   ${url}/docs`] : []),
    ...(role === 'server' ? firstRequest(app, url) : []),
  ];
  return { url, lines };
}

/** Lists the versions of one model. Its problem is left out if `missing` has it already. */
function describeModel(model: ModelState, missing: readonly string[]): string[] {
  const fallback = defaultVersion(model);
  const served = [...model.versions]
    .filter(([, { state }]) => state === 'ready')
    .map(([name]) => (name === fallback ? `${name} (default)` : name));
  const nothing = `serves nothing: ${model.versions.size === 0 ? 'it has no version yet' : 'every version is refused'}`;
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
      // No default version, or none that can answer: try the next model.
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
