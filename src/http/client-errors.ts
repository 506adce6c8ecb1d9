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
/** Time for the rest of a request with an unknown method, from its first bytes on. */
const restMs = 1_000;

interface Refused {
  readonly url?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly known?: KnownOfRefused;
}

/** Writes an error to a socket that has no request, in the form of any other error, and closes the socket. */
export type Refuse = (error: ServiceError, socket: Socket, refused?: Refused) => void;

/** Log fields of a refused request. An unknown method is not logged, since it is a text of the client. */
export interface KnownOfRefused {
  readonly key?: string;
  readonly method?: string;
}

/** Node's own time limits no longer apply to a refused connection: it is destroyed after 2 s if the client keeps it. */
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
      // Required by RFC 9110. Node adds it to all other answers.
      `date: ${new Date().toUTCString()}`,
      'connection: close',
      ...Object.entries({ ...headers, ...error.headers }).map(([name, value]) => `${name}: ${value}`),
    ];
    socket.end(`${head.join('\r\n')}\r\n\r\n${text}`);
    // Not the socket's own timer: each byte from the client would restart it.
    const cut = setTimeout(() => socket.destroy(), lingerMs).unref();
    socket.once('close', () => clearTimeout(cut));
  };
}

interface Beginning {
  readonly fault: ParserFault;
  readonly timer: NodeJS.Timeout;
  readonly since: number;
}
const waiting = new WeakMap<Socket, Beginning>();

/** Answers when Node's HTTP parser rejects bytes, and closes the connection: no later byte on it can be trusted. */
export function createClientErrorHandler(app: FastifyInstance, refuse: Refuse) {
  return (found: ParserFault, socket: Socket): void => {
    let fault = found;
    const before = waiting.get(socket);
    if (before !== undefined) {
      // After its first fault, Node's parser reports that same fault for each later piece.
      clearTimeout(before.timer);
      waiting.delete(socket);
      fault = appendBytes(before.fault, found);
    }
    // Bytes after a request with `Connection: close` are ignored, so that its answer can still be sent.
    if (fault.code === 'HPE_CLOSED_CONNECTION') return;
    if (fault.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    // The answer has already begun. The client would take a second answer for that of its next request.
    if (responseInProgress(socket)?.headersSent) {
      socket.destroySoon();
      return;
    }
    const answer = () => {
      waiting.delete(socket);
      if (!socket.writable) return;
      const request = readUnknownMethod(fault);
      if (request !== undefined) refuseUnmatched(app, { ...request, socket }, refuse, socket);
      else {
        // A broken or late body belongs to the request that is being answered.
        const url = responseInProgress(socket)?.req.url;
        refuse(new ServiceError(codes[fault.code ?? ''] ?? 'invalid_request'), socket, { url });
      }
    };
    // The key may be in a later piece. The answer must not depend on where TCP cuts the bytes.
    if (mayBecomeUnknownMethod(fault)) {
      // A new piece does not extend the time, or a slow client could hold the connection.
      const since = before?.since ?? performance.now();
      const leftMs = Math.max(0, since + restMs - performance.now());
      waiting.set(socket, { fault, since, timer: setTimeout(answer, leftMs).unref() });
    } else answer();
  };
}

function appendBytes(first: ParserFault, { rawPacket }: ParserFault): ParserFault {
  const pieces = [first.rawPacket, rawPacket].filter((piece) => Buffer.isBuffer(piece));
  return { ...first, code: first.code, bytesParsed: first.bytesParsed, rawPacket: Buffer.concat(pieces) };
}

/** Refuses CONNECT. Node emits it as an event of its own, and closes the socket without an answer if nobody listens. */
export function createConnectHandler(app: FastifyInstance, refuse: Refuse) {
  return (request: IncomingMessage, socket: Socket): void => {
    socket.on('error', () => socket.destroy()).resume();
    // RFC 9110 allows an empty `Allow`: a target such as `host:port` takes no method here.
    const own = new ServiceError('method_not_allowed', {
      headers: { allow: app.addressOf(request.url ?? '').methods.join(', ') },
    });
    refuseUnmatched(app, request, refuse, socket, own);
  };
}

/** Refuses a request that cannot reach a route. Its key and its limit are checked first, as for any other request. */
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
