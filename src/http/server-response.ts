import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Draining } from './drain.js';

/**
 * Node's `ServerResponse` with three additions.
 * - While the server drains, every answer has `Connection: close`. Fastify adds it only for requests that come later.
 * - A connection is destroyed if its client reads no byte of an answer for `timeoutMs`. The clock runs only while bytes
 *   wait in this process. Nearly every answer fits into the system's buffers and never starts it.
 * - If the connection closes while a pipelined response is still queued, that response is closed too, which releases
 *   its file handle.
 */
export function createResponseClass(draining: Draining, timeoutMs: number): typeof ServerResponse {
  return class Response<R extends IncomingMessage> extends ServerResponse<R> {
    override writeHead(...head: unknown[]): this {
      if (draining.isDraining) this.shouldKeepAlive = false;
      // The arguments fit an overload: they came in by one. The same holds for `write` and `end`.
      return super.writeHead(...(head as Parameters<ServerResponse['writeHead']>)) as this;
    }

    override write(...chunk: unknown[]): boolean {
      const isTaken = super.write(...(chunk as Parameters<ServerResponse['write']>));
      if (!isTaken && this.socket === null) closeWith(this.req.socket, this);
      else if (!isTaken) limitWait(this, timeoutMs);
      return isTaken;
    }

    override end(...chunk: unknown[]): this {
      super.end(...(chunk as Parameters<ServerResponse['end']>));
      limitWait(this, timeoutMs);
      return this;
    }

    /** Node assigns the socket to a pipelined response after the ones before it. It may be complete by then. */
    override assignSocket(socket: Socket): void {
      super.assignSocket(socket);
      if (this.headersSent) limitWait(this, timeoutMs);
    }
  };
}

/**
 * The socket's timer restarts whenever the system takes bytes. When it ends, node:http destroys the socket if nobody
 * listens for the event. The connection therefore ends after one to two times `timeoutMs`.
 */
function limitWait(response: ServerResponse, timeoutMs: number): void {
  const { socket } = response;
  if (socket === null || socket.writableLength === 0) return;
  socket.setTimeout(timeoutMs);
  // Runs before Node's own listener, which then starts the keep-alive timer.
  const lift = (): void => {
    response.off('drain', lift).off('finish', lift);
    socket.setTimeout(0);
  };
  response.prependListener('drain', lift).prependListener('finish', lift);
}

/** Node 20 emits `close` only on the response that the connection is sending, and not on those queued behind it. */
function closeWith(socket: Socket, response: ServerResponse): void {
  const close = (): void => {
    if (response.socket !== null || response.destroyed) return;
    response.destroy();
    response.emit('close');
  };
  if (socket.destroyed) process.nextTick(close);
  else socket.once('close', close);
}
