import type { IncomingMessage } from 'node:http';
import fp from 'fastify-plugin';
import type { RawRequest } from '../addresses/forwarded-for.js';
import type { ApiKey } from '../auth/api-key.js';
import { ServiceError } from '../errors.js';
import type { HeaderSink } from './rate-limit.js';

/** An answer to a request that no route takes, or that the key or the limit of its client forbids. */
export type Refused = (refusal: ServiceError, key: ApiKey | null) => void;

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Takes a request without a route through the gates of all others: its key, where the address needs one or where
     * it presents one, then the limit of its client. `own` is the answer behind those.
     */
    readonly refuseUnmatched: (
      request: RawRequest & Pick<IncomingMessage, 'url'>,
      own: ServiceError,
      sink: HeaderSink,
      then: Refused,
    ) => void;
    /** What a request gets whose address or method no route has. */
    readonly explainUnmatched: (url: string) => ServiceError;
  }
}

/**
 * Answers whatever no route takes, whether its method is unknown or its address. It is answered before its body is
 * read: Fastify would first look at the body's type, and answer a QUERY without one by an error of its own.
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
        return then(error as ServiceError, null);
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
