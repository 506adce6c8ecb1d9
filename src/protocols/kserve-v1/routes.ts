import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '../../errors.js';
import { readPredictionRequest, shownCacheResults } from '../../http/prediction-request.js';
import { chooseVersion } from '../../models/registry/choose-version.js';
import type { RowResult } from '../../predictor.js';
import { toV1Metadata } from '../../schemas/v1-metadata.js';
import { toV1ModelStatus, V1ModelListSchema } from '../../schemas/v1-model.js';
import { checkBody } from './check-body.js';

interface Named {
  Params: { model: string; version?: string };
}

const contentType = 'application/json; charset=utf-8';

/** TensorFlow Serving calls an alias of a version a label. */
const resources = [
  { path: '', name: 'Model', of: 'a model' },
  { path: '/versions/:version', name: 'Version', of: 'a version of a model' },
  { path: '/labels/:version', name: 'Label', of: 'the version behind an alias' },
] as const;

/** Verbs of KServe and TensorFlow Serving that are not supported, and what the error says. */
const otherVerbs = {
  classify: 'this server has :predict, which gives the class of each of {"instances": […]}',
  regress: 'this server has :predict, which gives the value of each of {"instances": […]}',
  explain: 'this server has :predict, and explains no prediction',
} as const;

/** A route in the router's syntax. Names of models and versions have no colon, so a colon begins the verb. */
const toRoute = (address: string): string =>
  address.replace(/:(model|version)/g, ':$1([^:]+)').replace(/:([a-z]+)$/, '::$1');

/** KServe's v1 protocol, which is also TensorFlow Serving's: a request has many rows, which share runs. */
const kserveV1Routes: FastifyPluginAsync = async (app) => {
  const tags = ['KServe v1'];
  app.get(
    '/v1/models',
    {
      config: { scope: 'read', model: 'none' },
      schema: {
        operationId: 'v1ListModels',
        summary: 'The names of all models',
        tags,
        response: { 200: V1ModelListSchema },
      },
    },
    async ({ key }) => ({ models: app.registry.names.filter((name) => key?.models?.has(name) ?? true) }),
  );
  for (const { path, name, of } of resources) {
    const address = `/v1/models/:model${path}`;
    app.get<Named>(
      toRoute(address),
      {
        config: { address, scope: 'read' },
        schema: {
          operationId: `v1Get${name}`,
          summary: `Whether ${of} can answer`,
          tags,
          response: { 200: { $ref: 'V1ModelStatus#' } },
        },
      },
      async (request) => readStatus(app, request.params),
    );
    const describing = `${address}/metadata`;
    app.get<Named>(
      toRoute(describing),
      {
        config: { address: describing, scope: 'read' },
        schema: {
          operationId: `v1Get${name}Metadata`,
          summary: `The inputs and outputs of ${of}, in the form of TensorFlow Serving`,
          tags,
          response: { 200: { $ref: 'V1Metadata#' } },
        },
      },
      async ({ params: { model, version } }) =>
        toV1Metadata(chooseVersion(app.registry.find(model), version)),
    );
    const predicting = `${address}:predict`;
    // The OpenAPI document describes this route for each model, with the model's features.
    const options = {
      config: { address: predicting, scope: 'predict', takesRows: true },
      schema: { hide: true },
    } as const;
    app.post<Named>(toRoute(predicting), options, (request, reply) => predict(app, request, reply));
    for (const [verb, detail] of Object.entries(otherVerbs)) refuseVerb(app, `${address}:${verb}`, detail);
  }
};

/** The refusal comes after the checks of key and limit, and before the body is read. */
function refuseVerb(app: FastifyInstance, address: string, detail: string): void {
  const refuse = async (): Promise<never> => {
    throw new ServiceError('not_found', { detail });
  };
  const options = { config: { address, scope: 'predict' } as const, schema: { hide: true } };
  app.post<Named>(toRoute(address), { ...options, preParsing: refuse }, refuse);
}

/** Throws `not_ready` or `model_unavailable` if a prediction would get no answer. */
function readStatus({ registry }: FastifyInstance, { model, version }: Named['Params']) {
  const found = registry.find(model);
  const { fault } = chooseVersion(found, version);
  if (fault !== undefined)
    throw new ServiceError('model_unavailable', { detail: fault, retryAfterSeconds: 1 });
  return toV1ModelStatus(found, version);
}

async function predict(
  app: FastifyInstance,
  request: FastifyRequest<Named>,
  reply: FastifyReply,
): Promise<string> {
  const prediction = readPredictionRequest(app, request);
  const result = await app.predictor.predictRows(prediction, async (loaded) => {
    const checked = checkBody(request.body, loaded);
    await app.rowLimitOf(request, reply)?.take(checked.count);
    return checked;
  });
  const text = await result.checked.write(result);
  reply.header('content-type', contentType).header('x-cache', toShownCache(result.rows));
  const timing = toServerTiming(result.rows);
  if (timing !== undefined) reply.header('server-timing', timing);
  return text;
}

/** `hit` if no row was computed. */
function toShownCache(rows: readonly RowResult[]): string {
  const shown = rows.map(({ cache }) => shownCacheResults[cache ?? 'off']);
  return shown.find((it) => it !== 'hit') ?? 'hit';
}

/** The longest wait of a row, and the sum of all runs, in milliseconds; undefined if no row was computed. */
function toServerTiming(rows: readonly RowResult[]): string | undefined {
  let [queue, run, last] = [0, 0, -1];
  for (const { answer } of rows) {
    if (answer.timing === undefined) continue;
    const { queueMs, runMs } = answer.timing;
    queue = Math.max(queue, queueMs);
    // Rows of one run have exactly the same `runMs`, and follow each other.
    if (runMs !== last) run += runMs;
    last = runMs;
  }
  return last < 0 ? undefined : `queue;dur=${queue.toFixed(3)}, run;dur=${run.toFixed(3)}`;
}

export default kserveV1Routes;
