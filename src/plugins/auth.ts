import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  HookHandlerDoneFunction,
  RouteOptions,
} from 'fastify';
import fp from 'fastify-plugin';
import type { RawRequest } from '../addresses/forwarded-for.js';
import type { ApiKey, Scope } from '../auth/api-key.js';
import { readAccessMode } from '../auth/auth-mode.js';
import { type Authorizer, createAuthorizer, failureReasons } from '../auth/authorizer.js';
import { readCredential } from '../auth/credential.js';
import { createFailureLimit } from '../auth/failure-limit.js';
import { openKeys } from '../auth/key-source.js';
import type { Config } from '../config/read-config.js';
import type { ServiceError } from '../errors.js';

type RouteScope = Scope | 'open';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The scope that a key needs. Each route sets it, or its plugin sets `app.scopeOfAll`. */
    scope: RouteScope;
    /**
     * The model that a key must be allowed to use, for a route without `:model`. `default`: the model of plain
     * `/predict`. `query`: the model in the query, or all models. `none`: the route checks it.
     */
    model?: 'default' | 'query' | 'none';
    needsKey?: boolean;
  }
  interface FastifyRequest {
    /** Null if the route needs no key. */
    key: ApiKey | null;
  }
  interface FastifyInstance {
    readonly needsKeys: boolean;
    /** The key of a request; null if it has none and needs none. Throws as `Authorizer.authenticate` does. */
    readonly identify: (request: RawRequest, isNeeded: boolean) => ApiKey | null;
    /** The scope of all routes of a plugin from a package. */
    readonly scopeOfAll: RouteScope | undefined;
  }
}

type AuthConfig = Pick<Config, 'HOST' | 'AUTH' | 'API_KEYS_FILE' | 'API_KEYS' | 'METRICS_AUTH'>;

const security = [{ apiKey: [] }, { bearer: [] }];

/**
 * Requires a key with the scope of the route, before the body is read. A route without a scope makes the start fail, so
 * that no route is open by mistake. If authentication is off, all routes are open.
 */
export default fp<AuthConfig>(
  async function authPlugin(app, config) {
    app.decorateRequest('key', null);
    app.decorate('scopeOfAll', undefined);
    const authorizer = readAccessMode(config).mode === 'keys' ? await openAuthorizer(app, config) : undefined;

    app.decorate('needsKeys', authorizer !== undefined);
    const identify = (request: RawRequest, isNeeded: boolean): ApiKey | null => {
      if (authorizer === undefined) return null;
      const presented = readCredential(request.headers, request.rawHeaders);
      if (presented === undefined && !isNeeded) return null;
      return authorizer.authenticate(presented, () => app.clientOf(request));
    };
    app.decorate('identify', identify);
    app.addHook('onRoute', function (route) {
      const scope = route.config?.scope ?? this.scopeOfAll;
      const name = `${route.method} ${route.url}`;
      if (scope === undefined) throw new Error(`${name} does not say which scope it needs`);
      const model = route.config?.model ?? (route.url.includes('/:model') ? 'params' : undefined);
      if (model === undefined && scope !== 'open' && scope !== 'metrics') {
        throw new Error(`${name} does not say which model it is about`);
      }
      const isOpen = scope === 'open' || (scope === 'metrics' && config.METRICS_AUTH === 'open');
      route.config = { ...route.config, scope, needsKey: authorizer !== undefined && !isOpen };
      if (authorizer === undefined || isOpen) return;
      const checkModel = createModelCheck(app, authorizer, model ?? 'none');
      const guard = (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void => {
        try {
          const { raw } = request;
          const presented = readCredential(raw.headers, raw.rawHeaders);
          const key = authorizer.authenticate(presented, () => app.clientOf(raw));
          // Set before the checks below, so that the log line of a refusal has the key's id.
          request.key = key;
          authorizer.requireScope(key, scope);
          if (key.models !== undefined) checkModel(key, request);
        } catch (error) {
          refuse(request, reply, error as ServiceError, done);
          return;
        }
        done();
      };
      route.onRequest = [guard, ...[route.onRequest ?? []].flat()];
      route.schema = { ...route.schema, security } as NonNullable<RouteOptions['schema']>;
    });
  },
  { name: 'auth', fastify: '5.x', dependencies: ['metrics', 'client-address', 'reload'] },
);

/** A refused request counts for the limit of its key, or of its address, as any other one. */
function refuse(
  { raw, key, server, routeOptions }: FastifyRequest,
  reply: FastifyReply,
  refusal: ServiceError,
  done: HookHandlerDoneFunction,
): void {
  if (routeOptions.config.isLimited !== true || refusal.code === 'rate_limited') done(refusal);
  else server.countRequest(raw, key, reply, (limited) => done(limited ?? refusal));
}

async function openAuthorizer(app: FastifyInstance, config: AuthConfig): Promise<Authorizer> {
  const { log } = app;
  const source = await openKeys(config, {
    onReload: (keys) => log.info({ keys }, 'the file of API keys has changed'),
    onBroken: (problem) =>
      log.error({ problem }, 'the file of API keys cannot be used: the previous keys stay valid'),
  });
  app.onReload(() => source.reload());
  app.addHook('onClose', async () => source.close());
  if (source.count === 0) log.warn('there is no API key yet: requests to routes that need one are refused');
  const counter = app.metrics.counter(
    'auth_failures_total',
    'Requests that the check of keys refused, by reason',
  );
  // Created at the start: `rate()` needs the value 0 before the first failure.
  const counts = Object.fromEntries(failureReasons.map((reason) => [reason, counter.series({ reason })]));
  return createAuthorizer({
    ring: source.ring,
    failures: createFailureLimit(),
    onFailure: (reason) => counts[reason]?.add(1),
  });
}

/** For a key that is limited to some models: checks the model of a request. */
function createModelCheck(
  app: FastifyInstance,
  authorizer: Authorizer,
  kind: 'params' | 'default' | 'query' | 'none',
) {
  return (key: ApiKey, { params, query }: FastifyRequest): void => {
    if (kind === 'none') return;
    const { model } = (kind === 'query' ? query : params) as { model?: unknown };
    if (kind === 'default') authorizer.checkModel(key, undefined, app.registry);
    else if (typeof model === 'string') authorizer.checkModel(key, model, app.registry);
    else authorizer.checkAllModels(key);
  };
}
