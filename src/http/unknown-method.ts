import { type IncomingHttpHeaders, METHODS } from 'node:http';

/** An error of Node's HTTP parser, with the bytes that it rejects. */
export interface ParserFault extends Error {
  readonly code?: string | undefined;
  readonly bytesParsed?: number | undefined;
  /** A buffer at run time; Fastify's type says otherwise. */
  readonly rawPacket?: unknown;
}

export interface UnknownMethod {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: string[];
}

/** In this order: an unknown method, a method of RTSP, and HTTP/2's `PRI` in another request. */
const codes: ReadonlySet<string | undefined> = new Set([
  'HPE_INVALID_METHOD',
  'HPE_INVALID_CONSTANT',
  'HPE_INVALID_VERSION',
]);
const requestLine = /^([!#$%&'*+.^_`|~\w-]+) ([!-~]+) HTTP\/1\.[01]$/;
const headerLine = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*?)[ \t]*$/;
const lists: ReadonlySet<string> = new Set(['x-api-key', 'x-forwarded-for']);

const requestLineBegin = /^[!#$%&'*+.^_`|~\w-]+(?: [!-~]*(?: [HTP/1.0]{0,8})?)?\r?$/;
/** Bytes: Node's own limit for headers. */
const maxHead = 16_384;

/** Whether these bytes may be the beginning of a request that is valid except for its method. */
export function mayBecomeUnknownMethod({ code, bytesParsed = 0, rawPacket }: ParserFault): boolean {
  if (!Buffer.isBuffer(rawPacket) || !codes.has(code) || rawPacket.length > maxHead) return false;
  const text = rawPacket.toString('latin1');
  const start = text.lastIndexOf('\n', Math.max(0, bytesParsed - 2)) + 1;
  if (text.includes('\r\n\r\n', start)) return false;
  const [first = '', ...lines] = text.slice(start).split('\r\n');
  return lines.length === 0 ? requestLineBegin.test(first) : requestLine.test(first);
}

/**
 * Reads a request that is valid except for its method, which Node's parser does not know. It is then refused like a
 * method that no route has. Headers that are incomplete count as not sent. Undefined for any other fault.
 */
export function readUnknownMethod({
  code,
  bytesParsed = 0,
  rawPacket,
}: ParserFault): UnknownMethod | undefined {
  if (!Buffer.isBuffer(rawPacket) || !codes.has(code)) return undefined;
  const text = rawPacket.toString('latin1');
  // The parser stops in the request line or at its end.
  const start = text.lastIndexOf('\n', Math.max(0, bytesParsed - 2)) + 1;
  const end = text.indexOf('\r\n\r\n', start);
  const [first = '', ...lines] = text.slice(start, end === -1 ? undefined : end).split('\r\n');
  const [, method = '', url = ''] = requestLine.exec(first) ?? [];
  if (method === '' || METHODS.includes(method)) return undefined;
  const rawHeaders: string[] = [];
  const headers: IncomingHttpHeaders = {};
  for (const line of end === -1 ? [] : lines) {
    const [, name, value] = headerLine.exec(line) ?? [];
    if (name === undefined || value === undefined) return undefined;
    rawHeaders.push(name, value);
    const key = name.toLowerCase();
    const before = headers[key];
    if (before === undefined) headers[key] = value;
    else if (lists.has(key)) headers[key] = `${before}, ${value}`;
  }
  return { url, headers, rawHeaders };
}
