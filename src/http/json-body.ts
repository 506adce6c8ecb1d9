import { isUtf8 } from 'node:buffer';
import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { ServiceError } from '../errors.js';
import type { BodyBounds } from '../models/tasks/task.js';
import { explainJsonFault } from './json-fault.js';
import { measureJson } from './json-measure.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether a body may hold several rows. The version sets their maximum. */
    takesRows?: boolean;
  }
}

const maxDepth = 32;
/** A body of at most this many bytes cannot be nested too deeply. */
const depthFreeBytes = 2 * maxDepth;
/**
 * Names and values that a body may have beyond those of its model. 1,000 names parse in less than 2 ms, and the
 * refusal can then name the fields that the model does not have.
 */
const spare = 1_000;
const otherCharset = /;\s*charset\s*=(?!\s*"?utf-?8"?\s*(?:;|$))/i;

/**
 * Accepts only `application/json` in UTF-8. Before a body is parsed, invalid UTF-8, deep nesting and more names than
 * the model has are refused. `__proto__` is an ordinary name, since no parsed object is merged into another one.
 */
export default fp(
  async function jsonBodyPlugin(app) {
    app.removeAllContentTypeParsers();
    /** The bounds of the version that would answer; 0 on other routes. */
    const boundsOf = ({ params, routeOptions }: FastifyRequest): BodyBounds => {
      if (routeOptions.config.scope !== 'predict') return { names: 0, items: 0 };
      const { model, version } = params as { model?: string; version?: string };
      const loaded = app.registry.lease(model, version);
      loaded.release();
      const { names, items } = loaded.task.bodyBounds;
      const rows = routeOptions.config.takesRows ? loaded.maxRows : 1;
      // Each row is a value of the array that holds the rows.
      return rows === 1 ? { names, items } : { names: rows * names, items: rows * (items + 1) };
    };
    const checkSize = (body: Buffer, request: FastifyRequest): void => {
      const { depth, names, items } = measureJson(body, maxDepth);
      if (depth > maxDepth) throw invalid(`The body is nested more than ${maxDepth} levels deep.`);
      if (names <= spare && items <= spare) return;
      const bounds = boundsOf(request);
      const fix = request.routeOptions.config.takesRows
        ? 'send fewer rows a request'
        : 'send one row a request';
      if (names > bounds.names + spare) throw tooMany('names and objects', names, bounds.names + spare, fix);
      if (items > bounds.items + spare) throw tooMany('values', items, bounds.items + spare, fix);
    };
    app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
      try {
        const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = request.headers;
        if (body.length === 0) {
          // Some clients send a content type with every request, also with a GET or DELETE that has no body.
          if (request.method !== 'POST') return done(null, undefined);
          throw invalid('The body is empty: send the input as JSON.');
        }
        if (otherCharset.test(type)) throw unsupported('The charset must be utf-8.');
        if (encoding.toLowerCase() !== 'identity') {
          throw unsupported('The body must not be compressed: no Content-Encoding is understood.');
        }
        if (!isUtf8(body)) throw invalid(explainBytes(body));
        if (body.length > depthFreeBytes) checkSize(body, request);
        done(null, parse(body));
      } catch (error) {
        done(error as ServiceError);
      }
    });
  },
  { name: 'json-body', fastify: '5.x' },
);

function parse(body: Buffer): unknown {
  // Buffer.toString keeps a byte order mark, unlike TextDecoder. JSON has none, so the parser refuses it.
  const text = body.toString();
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid(explainJsonFault(text, (error as SyntaxError).message));
  }
}

function explainBytes(body: Buffer): string {
  const isUtf16 = (body[0] === 0xff && body[1] === 0xfe) || (body[0] === 0xfe && body[1] === 0xff);
  return isUtf16 ? 'The body is UTF-16: send UTF-8.' : 'The body is not valid UTF-8.';
}

function tooMany(what: string, count: number, max: number, fix: string): ServiceError {
  return new ServiceError('invalid_input', {
    detail: `The body has ${count} ${what}, and a request of this model at most ${max}: ${fix}.`,
  });
}

function invalid(detail: string): ServiceError {
  return new ServiceError('invalid_json', { detail });
}

function unsupported(detail: string): ServiceError {
  return new ServiceError('unsupported_media_type', { detail, headers: { 'accept-encoding': 'identity' } });
}
