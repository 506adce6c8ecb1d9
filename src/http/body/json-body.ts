import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { ServiceError } from '../../errors.js';
import { type JsonLimits, parseClientJson } from '../../text/client-json.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** When the parser began to read the body, by `performance.now()`; 0 without a body. */
    parsedSince: number;
  }
  interface FastifyContextConfig {
    /** Whether a body may hold several rows. The version sets their maximum. */
    takesRows?: boolean;
    /** The bounds of a body that is no input of a model. */
    bodyBounds?: Omit<JsonLimits, 'fix'>;
  }
}

const otherCharset = /;\s*charset\s*=(?!\s*"?utf-?8"?\s*(?:;|$))/i;

/**
 * Accepts only `application/json` in UTF-8. Before a body is parsed, invalid UTF-8, deep nesting and more names than
 * the model has are refused. `__proto__` is an ordinary name, since no parsed object is merged into another one.
 */
export default fp(
  async function jsonBodyPlugin(app) {
    app.removeAllContentTypeParsers();
    app.decorateRequest('parsedSince', 0);
    /** The limits of the version that would answer; 0 on other routes. */
    const limitsOf = ({ params, routeOptions }: FastifyRequest): JsonLimits => {
      const { scope, takesRows, bodyBounds } = routeOptions.config;
      if (bodyBounds !== undefined) return { ...bodyBounds, fix: 'send less in one request' };
      const fix = takesRows ? 'send fewer rows a request' : 'send one row a request';
      if (scope !== 'predict') return { names: 0, items: 0, fix };
      const { model, version } = params as { model?: string; version?: string };
      const loaded = app.registry.lease(model, version);
      loaded.release();
      const { names, items } = loaded.task.bodyBounds;
      const rows = takesRows ? loaded.maxRows : 1;
      // Each row is a value of the array that holds the rows.
      return rows === 1 ? { names, items, fix } : { names: rows * names, items: rows * (items + 1), fix };
    };
    app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
      request.parsedSince = performance.now();
      try {
        const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = request.headers;
        if (body.length === 0) {
          // Some clients send a content type with every request, also with a GET or DELETE that has no body.
          if (request.method !== 'POST') return done(null, undefined);
          throw new ServiceError('invalid_json', { detail: 'The body is empty: send the input as JSON.' });
        }
        if (otherCharset.test(type)) throw unsupported('The charset must be utf-8.');
        if (encoding.toLowerCase() !== 'identity') {
          throw unsupported('The body must not be compressed: no Content-Encoding is understood.');
        }
        done(
          null,
          parseClientJson(body, () => limitsOf(request)),
        );
      } catch (error) {
        done(error as ServiceError);
      }
    });
  },
  { name: 'json-body', fastify: '5.x' },
);

function unsupported(detail: string): ServiceError {
  return new ServiceError('unsupported_media_type', { detail, headers: { 'accept-encoding': 'identity' } });
}
