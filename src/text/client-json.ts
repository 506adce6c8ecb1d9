import { isUtf8 } from 'node:buffer';
import { ServiceError } from '../errors.js';
import { explainJsonFault } from './json-fault.js';
import { measureJson } from './json-measure.js';

/** What a JSON text of a client may hold. */
export interface JsonLimits {
  /** Names of members, and objects. */
  readonly names: number;
  /** Other values. */
  readonly items: number;
  /** What the client can do about more, such as "send one row a request". */
  readonly fix: string;
}

const maxDepth = 32;
/** A text with fewer bytes cannot be nested too deeply. */
const depthFreeBytes = 2 * maxDepth;
/**
 * Names and values that any text may have beyond its limits. 1,000 names parse in less than 2 ms, so that most refusals
 * of an unknown name can list what is there.
 */
const spare = 1_000;

/**
 * Parses JSON in UTF-8 that a client has sent, after a check of its nesting and its size. `limitsOf` is called only for
 * a text that is large. Throws `invalid_json`, and `invalid_input` beyond the limits.
 */
export function parseClientJson(bytes: Buffer, limitsOf: () => JsonLimits): unknown {
  if (!isUtf8(bytes)) throw invalid(explainBytes(bytes));
  if (bytes.length > depthFreeBytes) checkSize(bytes, limitsOf);
  // Buffer.toString keeps a byte order mark, unlike TextDecoder. JSON has none, so the parser refuses it.
  const text = bytes.toString();
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid(explainJsonFault(text, (error as SyntaxError).message));
  }
}

function checkSize(bytes: Buffer, limitsOf: () => JsonLimits): void {
  const { depth, names, items } = measureJson(bytes, maxDepth);
  if (depth > maxDepth) throw invalid(`The body is nested more than ${maxDepth} levels deep.`);
  if (names <= spare && items <= spare) return;
  const limits = limitsOf();
  if (names > limits.names + spare)
    throw tooMany('names and objects', names, limits.names + spare, limits.fix);
  if (items > limits.items + spare) throw tooMany('values', items, limits.items + spare, limits.fix);
}

function explainBytes(bytes: Buffer): string {
  const isUtf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  return isUtf16 ? 'The body is UTF-16: send UTF-8.' : 'The body is not valid UTF-8.';
}

function tooMany(what: string, count: number, max: number, fix: string): ServiceError {
  const detail = `The body has ${count} ${what}, and a request of this model at most ${max}: ${fix}.`;
  return new ServiceError('invalid_input', { detail });
}

function invalid(detail: string): ServiceError {
  return new ServiceError('invalid_json', { detail });
}
