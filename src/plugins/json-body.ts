import { isUtf8 } from 'node:buffer';
import fp from 'fastify-plugin';
import { ServiceError } from '../errors.js';
import { measureDepth } from '../schemas/json-depth.js';

const maxDepth = 32;
/** A body with fewer bytes cannot be nested too deeply. */
const depthFreeBytes = 2 * maxDepth;
const otherCharset = /;\s*charset\s*=(?!\s*"?utf-?8"?\s*(?:;|$))/i;

/**
 * Takes bodies of `application/json` in UTF-8, and nothing else: invalid UTF-8 is refused instead of being
 * replaced, and so is deep nesting before it is parsed. `__proto__` is an ordinary name here: nothing
 * that is parsed is ever merged into another object.
 */
export default fp(
  async function jsonBodyPlugin(app) {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
      try {
        const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = request.headers;
        if (otherCharset.test(type)) throw unsupported('The charset must be utf-8.');
        if (encoding.toLowerCase() !== 'identity') {
          throw unsupported('The body must not be compressed: no Content-Encoding is understood.');
        }
        done(null, parse(body));
      } catch (error) {
        done(error as ServiceError);
      }
    });
  },
  { name: 'json-body', fastify: '5.x' },
);

function parse(body: Buffer): unknown {
  if (body.length === 0) throw invalid('The body is empty.');
  if (!isUtf8(body)) throw invalid('The body is not valid UTF-8.');
  if (body.length > depthFreeBytes && measureDepth(body, maxDepth) > maxDepth) {
    throw invalid(`The body is nested more than ${maxDepth} levels deep.`);
  }
  try {
    return JSON.parse(body.toString());
  } catch (error) {
    throw invalid(describeFault((error as SyntaxError).message));
  }
}

/** What the parser found, of whose words only a place or one plain character is the client's to see. */
function describeFault(message: string): string {
  const position = /position (\d+)/.exec(message)?.[1];
  if (position !== undefined) return `The fault is at character ${position}.`;
  if (/^(Unexpected end|Unterminated)/.test(message)) return 'The body ends early.';
  const token = /^Unexpected token '([!-~])'/.exec(message)?.[1];
  return token === undefined ? 'The body is no JSON.' : `The body has a "${token}" where JSON has none.`;
}

function invalid(detail: string): ServiceError {
  return new ServiceError('invalid_json', { detail });
}

function unsupported(detail: string): ServiceError {
  return new ServiceError('unsupported_media_type', { detail, headers: { 'accept-encoding': 'identity' } });
}
