import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type ErrorCode, ServiceError } from '../errors.js';
import { type ProblemSettings, problemContentType, toProblemText } from '../schemas/problem.js';
import { createRequestId } from './request-id.js';

/** Node's errors for what never became a request. */
const codes: Readonly<Record<string, ErrorCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'body_too_large',
};

const reasons: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  413: 'Content Too Large',
  431: 'Request Header Fields Too Large',
};

const lingerMs = 2_000;

/** Node's own name for the answer that a connection is at; its default handler of such errors reads it too. */
type AnsweringSocket = Socket & { readonly _httpMessage?: ServerResponse | null };

/**
 * Answers on a socket whose bytes the HTTP parser refused, in the same form as any other error, and closes it:
 * after such bytes nothing on that connection can be trusted. A client that does not close its side as well is cut
 * soon: no limit of Node's own watches such a connection any more.
 */
export function createClientErrorHandler(settings: ProblemSettings, onRefused: (status: number) => void) {
  return (fault: Error & { code?: string }, socket: AnsweringSocket): void => {
    // Bytes after a request with `Connection: close` are no part of anything: its answer is still to be sent.
    if (fault.code === 'HPE_CLOSED_CONNECTION') return;
    if (fault.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    // A refusal that the headers alone had earned: a second answer would be taken for that to the next request.
    if (socket._httpMessage?.headersSent) {
      socket.destroySoon();
      return;
    }
    const error = new ServiceError(codes[fault.code ?? ''] ?? 'invalid_request');
    onRefused(error.status);
    const requestId = createRequestId({ headers: {} });
    const body = toProblemText(error, requestId, settings);
    const head = [
      `HTTP/1.1 ${error.status} ${reasons[error.status]}`,
      `content-type: ${problemContentType}`,
      `content-length: ${Buffer.byteLength(body)}`,
      `x-request-id: ${requestId}`,
      'connection: close',
    ];
    socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
    // Not the socket's own timer, which every byte that still comes would set anew.
    const cut = setTimeout(() => socket.destroy(), lingerMs).unref();
    socket.once('close', () => clearTimeout(cut));
  };
}
