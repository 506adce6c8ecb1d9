import { type IncomingHttpHeaders, METHODS } from 'node:http';

/** Node's parser names what it refuses, and shows the bytes. */
export interface ParserFault extends Error {
  readonly code?: string | undefined;
  readonly bytesParsed?: number | undefined;
  /** A buffer; Fastify's type has it otherwise. */
  readonly rawPacket?: unknown;
}

export interface UnknownMethod {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: string[];
}

/** A method that nobody knows; one of RTSP's; the PRI of HTTP/2 in another request. */
const codes: ReadonlySet<string | undefined> = new Set([
  'HPE_INVALID_METHOD',
  'HPE_INVALID_CONSTANT',
  'HPE_INVALID_VERSION',
]);
const requestLine = /^([!#$%&'*+.^_`|~\w-]+) ([!-~]+) HTTP\/1\.[01]$/;
const headerLine = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*?)[ \t]*$/;
const lists: ReadonlySet<string> = new Set(['x-api-key', 'x-forwarded-for']);

/** The beginning of a request line, however little of it has come. */
const requestLineBegin = /^[!#$%&'*+.^_`|~\w-]+(?: [!-~]*(?: [HTP/1.0]{0,8})?)?\r?$/;
/** As many as Node lets headers have. */
const maxHead = 16_384;

/** Whether more bytes may still make it a request that is sound but for its method. */
export function mayBecomeUnknownMethod({ code, bytesParsed = 0, rawPacket }: ParserFault): boolean {
  if (!Buffer.isBuffer(rawPacket) || !codes.has(code) || rawPacket.length > maxHead) return false;
  const text = rawPacket.toString('latin1');
  const start = text.lastIndexOf('\n', Math.max(0, bytesParsed - 2)) + 1;
  if (text.includes('\r\n\r\n', start)) return false;
  const [first = '', ...lines] = text.slice(start).split('\r\n');
  return lines.length === 0 ? requestLineBegin.test(first) : requestLine.test(first);
}

/**
 * A request that is sound but for a method that Node's parser does not have: it is refused like those with a method
 * that no route has. What has not come yet, or is no header, counts as not sent. Undefined for any other fault.
 */
export function readUnknownMethod({
  code,
  bytesParsed = 0,
  rawPacket,
}: ParserFault): UnknownMethod | undefined {
  if (!Buffer.isBuffer(rawPacket) || !codes.has(code)) return undefined;
  const text = rawPacket.toString('latin1');
  // The fault is in the request line, or is found at its end.
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
