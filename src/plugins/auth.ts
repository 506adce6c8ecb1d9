import type { FastifyInstance, FastifyRequest, HookHandlerDoneFunction, RouteOptions } from 'fastify';
import fp from 'fastify-plugin';
import type { RawRequest } from '../addresses/forwarded-for.js';
import type { ApiKey, Scope } from '../auth/api-key.js';
import { readAccessMode } from '../auth/auth-mode.js';
import { type Authorizer, createGate, failureReasons } from '../auth/authorizer.js';
import { readCredential } from '../auth/credential.js';
import { createFailureLimit } from '../auth/failure-limit.js';
import { openKeys } from '../auth/key-source.js';
import type { Config } from '../config/read-config.js';

type RouteScope = Scope | 'open';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a key must be allowed to. Each route says so, or its plugin does by `app.scopeOfAll`. */
    scope: RouteScope;
    /**
     * Which model a route without `:model` is about, of which a key may be allowed some alone: that of plain
     * `/predict`; that of the query's `model`, or all; or none, where the route sees to it itself.
     */
    model?: 'default' | 'query' | 'none';
    /** Whether a key is asked for: not for what is open. */
    needsKey?: boolean;
  }
  interface FastifyRequest {
    /** Who asks; null where no key is needed. */
    key: ApiKey | null;
  }
  interface FastifyInstance {
    readonly needsKeys: boolean;
    /** The key that a request presents; null where it presents none and needs none. Throws as `Gate.identify` does. */
    readonly identify: (request: RawRequest, isNeeded: boolean) => ApiKey | null;
    /** The scope of all routes of a plugin that is not ours. */
    readonly scopeOfAll: RouteScope | undefined;
  }
}

type AuthConfig = Pick<Config, 'HOST' | 'AUTH' | 'API_KEYS_FILE' | 'API_KEYS' | 'METRICS_AUTH'>;

const security = [{ apiKey: [] }, { bearer: [] }];

/**
 * Asks each request for a key that may do what its route does, before the body is read. A route that does not say what
 * that is makes the start fail: none is open by oversight. Without keys all routes are open.
 */
export default fp<AuthConfig>(
  async function authPlugin(app, config) {
    app.decorateRequest('key', null);
    app.decorate('scopeOfAll', undefined);
    const gate = readAccessMode(config).mode === 'keys' ? await openGate(app, config) : undefined;

    app.decorate('needsKeys', gate !== undefined);
    const identify = (request: RawRequest, isNeeded: boolean): ApiKey | null => {
      if (gate === undefined) return null;
      const presented = readCredential(request.headers, request.rawHeaders);
      if (presented === undefined && !isNeeded) return null;
      return gate.authenticate(presented, () => app.clientOf(request));
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
      route.config = { ...route.config, scope, needsKey: gate !== undefined && !isOpen };
      if (gate === undefined || isOpen) return;
      const checkModel = createModelCheck(app, gate, model ?? 'none');
      const guard = (request: FastifyRequest, _reply: unknown, done: HookHandlerDoneFunction): void => {
        let refusal: Error | undefined;
        try {
          const { raw } = request;
          const presented = readCredential(raw.headers, raw.rawHeaders);
          const key = gate.authenticate(presented, () => app.clientOf(raw));
          // Also where it may not do this: then it is known who tried.
          request.key = key;
          gate.requireScope(key, scope);
          if (key.models !== undefined) checkModel(key, request);
        } catch (error) {
          refusal = error as Error;
        }
        done(refusal);
      };
      route.onRequest = [guard, ...[route.onRequest ?? []].flat()];
      route.schema = { ...route.schema, security } as NonNullable<RouteOptions['schema']>;
    });
  },
  { name: 'auth', fastify: '5.x', dependencies: ['metrics', 'client-address', 'reload'] },
);

async function openGate(app: FastifyInstance, config: AuthConfig): Promise<Authorizer> {
  const { log } = app;
  const source = await openKeys(config, {
    onReload: (keys) => log.info({ keys }, 'the file of API keys has changed'),
    onBroken: (problem) =>
      log.error({ problem }, 'the file of API keys cannot be used: the keys before stay'),
  });
  app.onReload(() => source.reload());
  app.addHook('onClose', async () => source.close());
  if (source.count === 0) log.warn('there is no API key yet: nobody may ask');
  const counter = app.metrics.counter('auth_failures_total', 'Requests that were not let in, by reason');
  // All of them from the start: a rate needs the zero before the first.
  const counts = Object.fromEntries(failureReasons.map((reason) => [reason, counter.series({ reason })]));
  return createGate({
    ring: source.ring,
    failures: createFailureLimit(),
    onFailure: (reason) => counts[reason]?.add(1),
  });
}

/** Whether a key that may use some models alone may use that of a request. */
function createModelCheck(
  app: FastifyInstance,
  gate: Authorizer,
  kind: 'params' | 'default' | 'query' | 'none',
) {
  return (key: ApiKey, { params, query }: FastifyRequest): void => {
    if (kind === 'none') return;
    const { model } = (kind === 'query' ? query : params) as { model?: unknown };
    if (kind === 'default') gate.checkModel(key, undefined, app.registry);
    else if (typeof model === 'string') gate.checkModel(key, model, app.registry);
    else gate.checkAllModels(key);
  };
}
