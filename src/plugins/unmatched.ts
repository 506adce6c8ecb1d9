import type { IncomingMessage } from 'node:http';
import fp from 'fastify-plugin';
import type { RawRequest } from '../addresses/forwarded-for.js';
import type { ApiKey } from '../auth/api-key.js';
import { ServiceError } from '../errors.js';
import type { HeaderSink } from '../rate-limit/policy.js';

/** Sends the refusal of a request without a route. */
export type Refused = (refusal: ServiceError, key: ApiKey | null) => void;

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Checks a request without a route as any other: its key, if the address needs one or the request has one, then the
     * limit of its client. If it passes both, the refusal is `own`.
     */
    readonly refuseUnmatched: (
      request: RawRequest & Pick<IncomingMessage, 'url'>,
      own: ServiceError,
      sink: HeaderSink,
      then: Refused,
    ) => void;
    /** The error for a request whose address or method no route has. */
    readonly explainUnmatched: (url: string) => ServiceError;
  }
}

/**
 * Answers requests whose address or method no route has, before their body is read. Fastify would check the body's type
 * first, and refuse a QUERY without a body with an error of its own.
 */
export default fp(
  async function unmatchedPlugin(app) {
    app.decorate('explainUnmatched', (url) => {
      const { methods } = app.addressOf(url);
      return methods.length === 0
        ? new ServiceError('not_found')
        : new ServiceError('method_not_allowed', { headers: { allow: methods.join(', ') } });
    });
    app.decorate('refuseUnmatched', (request, own, sink, then) => {
      let key: ApiKey | null;
      try {
        key = app.identify(request, app.addressOf(request.url ?? '').needsKey);
      } catch (error) {
        const refusal = error as ServiceError;
        if (refusal.code === 'rate_limited') return then(refusal, null);
        return app.countRequest(request, null, sink, (limited) => then(limited ?? refusal, null));
      }
      app.countRequest(request, key, sink, (refusal) => then(refusal ?? own, key));
    });
    app.addHook('onRequest', (request, reply, done) => {
      if (!request.is404) return done();
      app.refuseUnmatched(request.raw, app.explainUnmatched(request.url), reply, (refusal, key) => {
        request.key = key;
        app.observeUnmatched(refusal.status, reply.elapsedTime / 1_000);
        done(refusal);
      });
    });
  },
  { name: 'unmatched', fastify: '5.x', dependencies: ['problems', 'auth', 'limits'] },
);
