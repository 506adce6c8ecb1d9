import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { RawRequest } from '../addresses/forwarded-for.js';
import { type ErrorCode, ServiceError } from '../errors.js';
import { responseInProgress } from '../node-internals.js';
import { toErrorBody } from '../schemas/error-body.js';
import type { ProblemSettings } from '../schemas/problem.js';
import { createRequestId } from './request-id.js';
import { mayBecomeUnknownMethod, type ParserFault, readUnknownMethod } from './unknown-method.js';

/** Node's errors for what never became a request. */
const codes: Readonly<Record<string, ErrorCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'body_too_large',
};

const reasons: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
};

const lingerMs = 2_000;
/** In which the rest of a request with an unknown method must come, from its first bytes on. */
const restMs = 1_000;

/** What is known of a request that never became one. */
interface Refused {
  readonly url?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly known?: KnownOfRefused;
}

/** Answers on a socket that belongs to no request, in the same form as any other error, and closes it. */
export type Refuse = (error: ServiceError, socket: Socket, refused?: Refused) => void;

/** What the log tells of a refused request. A method that nobody knows is a text of the client, and is not told. */
export interface KnownOfRefused {
  readonly key?: string;
  readonly method?: string;
}

/** A client that does not close its side as well is cut soon: no limit of Node's own watches such a connection any more. */
export function createRefuse(
  settings: ProblemSettings,
  onRefused: (error: ServiceError, requestId: string, known: KnownOfRefused) => void,
): Refuse {
  return (error, socket, { url, headers = {}, known = {} } = {}) => {
    const requestId = createRequestId({ headers: {} });
    onRefused(error, requestId, known);
    const { contentType, text } = toErrorBody(error, url, requestId, settings);
    const head = [
      `HTTP/1.1 ${error.status} ${reasons[error.status]}`,
      `content-type: ${contentType}`,
      `content-length: ${Buffer.byteLength(text)}`,
      `x-request-id: ${requestId}`,
      'x-content-type-options: nosniff',
      // RFC 9110 wants it of every server that has a clock; Node adds it to all other answers.
      `date: ${new Date().toUTCString()}`,
      'connection: close',
      ...Object.entries({ ...headers, ...error.headers }).map(([name, value]) => `${name}: ${value}`),
    ];
    socket.end(`${head.join('\r\n')}\r\n\r\n${text}`);
    // Not the socket's own timer, which every byte that still comes would set anew.
    const cut = setTimeout(() => socket.destroy(), lingerMs).unref();
    socket.once('close', () => clearTimeout(cut));
  };
}

/** Connections with the beginning of a request whose method is unknown. */
interface Beginning {
  readonly fault: ParserFault;
  readonly timer: NodeJS.Timeout;
  readonly since: number;
}
const waiting = new WeakMap<Socket, Beginning>();

/** Refuses bytes that the HTTP parser has refused: after those nothing on that connection can be trusted. */
export function createClientErrorHandler(app: FastifyInstance, refuse: Refuse) {
  return (found: ParserFault, socket: Socket): void => {
    let fault = found;
    const before = waiting.get(socket);
    if (before !== undefined) {
      // Node's parser gives its first fault again for each piece that comes after it.
      clearTimeout(before.timer);
      waiting.delete(socket);
      fault = join(before.fault, found);
    }
    // Bytes after a request with `Connection: close` are no part of anything: its answer is still to be sent.
    if (fault.code === 'HPE_CLOSED_CONNECTION') return;
    if (fault.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    // A refusal that the headers alone had earned: a second answer would be taken for that to the next request.
    if (responseInProgress(socket)?.headersSent) {
      socket.destroySoon();
      return;
    }
    const answer = () => {
      waiting.delete(socket);
      if (!socket.writable) return;
      const request = readUnknownMethod(fault);
      if (request !== undefined) refuseUnmatched(app, { ...request, socket }, refuse, socket);
      // A body that is broken, or comes too late, is that of the request that is being answered.
      else {
        const url = responseInProgress(socket)?.req.url;
        refuse(new ServiceError(codes[fault.code ?? ''] ?? 'invalid_request'), socket, { url });
      }
    };
    // Its key may be in a piece that has not come: the answer must not follow from how the bytes were cut.
    if (mayBecomeUnknownMethod(fault)) {
      // No piece lengthens the time: a client that drips would hold the connection.
      const since = before?.since ?? performance.now();
      const leftMs = Math.max(0, since + restMs - performance.now());
      waiting.set(socket, { fault, since, timer: setTimeout(answer, leftMs).unref() });
    } else answer();
  };
}

/** The first fault, with the bytes that came after it. */
function join(first: ParserFault, { rawPacket }: ParserFault): ParserFault {
  const pieces = [first.rawPacket, rawPacket].filter((piece) => Buffer.isBuffer(piece));
  return { ...first, code: first.code, bytesParsed: first.bytesParsed, rawPacket: Buffer.concat(pieces) };
}

/** Refuses to be a tunnel. Node gives a CONNECT to nobody else, and closes it without a word where nobody listens. */
export function createConnectHandler(app: FastifyInstance, refuse: Refuse) {
  return (request: IncomingMessage, socket: Socket): void => {
    socket.on('error', () => socket.destroy()).resume();
    // The list may be empty (RFC 9110): an authority takes no method here.
    const own = new ServiceError('method_not_allowed', {
      headers: { allow: app.addressOf(request.url ?? '').methods.join(', ') },
    });
    refuseUnmatched(app, request, refuse, socket, own);
  };
}

/** Refuses a request that no route can have seen, behind the gates of all others. */
function refuseUnmatched(
  app: FastifyInstance,
  request: RawRequest & { readonly url?: string | undefined; readonly method?: string | undefined },
  refuse: Refuse,
  socket: Socket,
  own = app.explainUnmatched(request.url ?? ''),
): void {
  const headers: Record<string, string> = {};
  const { method } = request;
  const sink = {
    header: (name: string, value: string) => {
      headers[name] = value;
    },
  };
  app.refuseUnmatched(request, own, sink, (refusal, key) => {
    const known = { ...(key !== null && { key: key.id }), ...(method !== undefined && { method }) };
    refuse(refusal, socket, { url: request.url, headers, known });
  });
}
